#include "common/load/runner.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/core/clock.h"

namespace minivault::load {
namespace {

constexpr std::uint64_t kLookAroundNs = 100'000'000;  ///< how long a wait may keep from seeing `stop`
constexpr std::uint64_t kGraceNs = 1'000'000'000;
constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint32_t kEnding = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

Status watch(int epoll, int fd, std::size_t lane) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = lane;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return fail_errno("epoll_ctl", errno);
}

}  // namespace

void Tally::merge(const Tally& other) {
  answered += other.answered;
  missing += other.missing;
  refused += other.refused;
  mismatched += other.mismatched;
  lost += other.lost;
  unsent += other.unsent;
  broken += other.broken;
  if (first_break.empty()) first_break = other.first_break;
  finished_ns = std::max(finished_ns, other.finished_ns);
  latency.merge(other.latency);
}

/// The state of one run(): the lanes by their index.
class Runner::Run {
 public:
  Run(Runner& runner, const Task& task, Watch& watch)
      : runner_(runner),
        task_(task),
        watch_(watch),
        pacer_(task.pacer),
        left_(task.requests),
        alive_(static_cast<std::size_t>(std::count(runner.dead_.begin(), runner.dead_.end(), false))),
        sent_ns_(runner.lanes_.size()),
        due_(runner.lanes_.size()) {}

  Tally run() {
    now_ns_ = progress_ns_ = tally_.finished_ns = monotonic_ns();
    for (std::size_t i = 0; i < runner_.lanes_.size(); ++i, now_ns_ = monotonic_ns()) feed(i);
    while (!over()) turn();
    close_books();
    return std::move(tally_);
  }

 private:
  /// What was due in time may leave a little later.
  [[nodiscard]] bool may_send() const {
    const std::uint64_t grace_ns = pacer_ ? kGraceNs : 0;
    return now_ns_ < task_.deadline_ns + grace_ns && !watch_.stop.load(std::memory_order_relaxed);
  }

  /// In the closed loop nothing under way means that nobody had anything to send.
  [[nodiscard]] bool over() const {
    if (under_way_ > 0) return now_ns_ - progress_ns_ > kPatienceNs;
    if (!pacer_ || !may_send() || alive_ == 0) return true;
    return backlog_ == 0 && pacer_->next_due_ns() >= task_.deadline_ns;
  }

  void turn() {
    std::array<epoll_event, 256> events;
    const int ready = wait(events);
    now_ns_ = monotonic_ns();
    for (int i = 0; i < ready; ++i) serve(events[static_cast<std::size_t>(i)]);
    if (pacer_ && may_send()) release_due();
    watch_.answered.fetch_add(tally_.answered - told_, std::memory_order_relaxed);
    told_ = tally_.answered;
  }

  [[nodiscard]] int wait(std::span<epoll_event> events) const {
    const int room = static_cast<int>(events.size());
    if (!pacer_) return ::epoll_wait(runner_.epoll_.get(), events.data(), room, kLookAroundNs / 1'000'000);
    std::uint64_t until = now_ns_ + kLookAroundNs;
    if (pacer_->next_due_ns() < task_.deadline_ns) until = std::min(until, pacer_->next_due_ns());
    const std::uint64_t now_ns = monotonic_ns();
    const std::uint64_t pause_ns = until > now_ns ? until - now_ns : 0;
    // epoll_wait counts in milliseconds: too coarse for a schedule.
    const timespec pause{static_cast<time_t>(pause_ns / kSecondNs), static_cast<long>(pause_ns % kSecondNs)};
    pollfd entry{runner_.epoll_.get(), POLLIN, 0};
    if (pause_ns > 0 && ::ppoll(&entry, 1, &pause, nullptr) <= 0) return 0;
    return ::epoll_wait(runner_.epoll_.get(), events.data(), room, 0);
  }

  void serve(const epoll_event& event) {
    const std::size_t i = event.data.u64;
    if (runner_.dead_[i]) return;
    if ((event.events & EPOLLOUT) != 0) {
      if (const Status flushed = runner_.lanes_[i].flush(); !flushed) return bury(i, flushed.error());
    }
    if ((event.events & (EPOLLIN | kEnding)) != 0) receive(i, (event.events & kEnding) != 0);
    if (!runner_.dead_[i]) feed(i);
  }

  /// Until the socket is empty, for edges come once; an end is behind the last bytes.
  void receive(std::size_t i, bool to_the_end) {
    Lane& lane = runner_.lanes_[i];
    for (;;) {
      const std::uint64_t first = lane.answered();
      const auto received = lane.receive(*runner_.codec_, runner_.inbox_, task_.verify != nullptr,
                                         [&](const Answer& answer) { count(answer, lane); });
      now_ns_ = monotonic_ns();
      time(i, first, lane.answered());
      if (!received) return bury(i, received.error());
      if (!received->more && !to_the_end) return;
      if (received->bytes == 0) return;
    }
  }

  void count(const Answer& answer, const Lane& lane) {
    if (answer.kind == Answer::Kind::kMissing) ++tally_.missing;
    if (answer.kind == Answer::Kind::kRefused) ++tally_.refused;
    const Tape::Asked asked = lane.asked();
    if (asked.wait) ++waits_;
    if (task_.verify == nullptr || answer.kind != Answer::Kind::kDone) return;
    if (asked.get && !task_.verify->is_value(answer.value, asked.key)) ++tally_.mismatched;
  }

  void time(std::size_t i, std::uint64_t first, std::uint64_t last) {
    if (first == last) return;
    tally_.answered += last - first;
    under_way_ -= last - first;
    progress_ns_ = tally_.finished_ns = now_ns_;
    record(i, first, last);
  }

  void release_due() {
    woken_.clear();
    pacer_->advance(std::min(now_ns_, task_.deadline_ns - 1), [this](std::size_t i) {
      if (!runner_.dead_[i]) ++backlog_;
      if (due_[i]++ == runner_.lanes_[i].sent()) woken_.push_back(i);
    });
    for (const std::size_t i : woken_) feed(i);
  }

  void feed(std::size_t i) {
    Lane& lane = runner_.lanes_[i];
    if (runner_.dead_[i] || !may_send()) return;
    std::uint64_t count = 0;
    if (pacer_) {
      count = std::min(due_[i] - lane.sent(), task_.pipeline - lane.outstanding());
    } else if (lane.outstanding() == 0) {
      count = std::min(task_.pipeline, left_);
    }
    if (count == 0) return;
    if (under_way_ == 0) progress_ns_ = now_ns_;
    sent_ns_[i] = now_ns_;
    while (count > 0) {
      const auto sent = lane.send(count);
      if (!sent) return bury(i, sent.error());
      if (*sent == 0) return;
      under_way_ += *sent;
      left_ -= *sent;
      backlog_ -= pacer_ ? *sent : 0;
      count -= *sent;
    }
  }

  void bury(std::size_t i, const Error& why) {
    const Lane& lane = runner_.lanes_[i];
    runner_.dead_[i] = true;
    --alive_;
    if (pacer_) backlog_ -= due_[i] - lane.sent();
    ++tally_.broken;
    if (tally_.first_break.empty()) tally_.first_break = why.message;
    tally_.lost += lane.outstanding();
    under_way_ -= lane.outstanding();
    record(i, lane.answered(), lane.sent());
    (void)::epoll_ctl(runner_.epoll_.get(), EPOLL_CTL_DEL, lane.fd(), nullptr);
  }

  /// The requests [first, last) of a lane waited until now, or at least until now.
  void record(std::size_t i, std::uint64_t first, std::uint64_t last) {
    if (!pacer_) return tally_.latency.record(now_ns_ - sent_ns_[i], last - first);
    for (; first < last; ++first) tally_.latency.record(now_ns_ - pacer_->due_ns(i, first));
  }

  /// What was not answered, sent or not, waited until now at least: leaving it out would be the omission. For
  /// the same reason silence at the end is time too.
  void close_books() {
    tally_.answered -= waits_;
    for (std::size_t i = 0; i < runner_.lanes_.size(); ++i) {
      const Lane& lane = runner_.lanes_[i];
      if (!runner_.dead_[i] && lane.outstanding() > 0) bury(i, {Code::kTimedOut, "no answer in time"});
      if (due_[i] <= lane.sent()) continue;
      tally_.unsent += due_[i] - lane.sent();
      record(i, lane.sent(), due_[i]);
    }
    if (tally_.lost + tally_.unsent + tally_.broken > 0) {
      tally_.finished_ns = now_ns_;
    } else if (pacer_ && !watch_.stop.load(std::memory_order_relaxed)) {
      tally_.finished_ns = std::max(tally_.finished_ns, task_.deadline_ns);
    }
  }

  Runner& runner_;
  const Task& task_;
  Watch& watch_;
  std::optional<Pacer> pacer_;
  std::uint64_t left_;  ///< closed loop: requests that may yet be sent
  std::size_t alive_;
  std::vector<std::uint64_t> sent_ns_;
  std::vector<std::uint64_t> due_;  ///< open loop: requests due so far
  std::vector<std::size_t> woken_;
  std::uint64_t now_ns_ = 0;
  std::uint64_t progress_ns_ = 0;
  std::uint64_t under_way_ = 0;
  std::uint64_t backlog_ = 0;  ///< open loop: due on connections that live, and not sent
  std::uint64_t told_ = 0;
  std::uint64_t waits_ = 0;  ///< answers that are no answers of requests
  Tally tally_;
};

Result<Runner> Runner::create(std::unique_ptr<Codec> codec, std::vector<Lane> lanes) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno("epoll_create1", errno);
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    if (const Status watched = watch(epoll.get(), lanes[i].fd(), i); !watched) {
      return tl::unexpected(watched.error());
    }
  }
  return Runner(std::move(epoll), std::move(codec), std::move(lanes));
}

Tally Runner::run(const Task& task, Watch& watch) {
  if (task.pacer) (void)::prctl(PR_SET_TIMERSLACK, 1UL);  // else every pause is 50 us longer
  return Run(*this, task, watch).run();
}

}  // namespace minivault::load
