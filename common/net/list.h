#pragma once

#include <utility>

namespace minivault::net {

/// Membership in one List. A class that can be in several lists at once derives from several hooks, told
/// apart by their tags. Leaves its list when it dies, so no list ever points to what is gone.
template <typename Tag>
class ListHook {
 public:
  ListHook() = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { unlink(); }

  [[nodiscard]] bool linked() const { return next_ != this; }
  void unlink() {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = this;
  }

 private:
  template <typename T, typename AnyTag>
  friend class List;

  ListHook* previous_ = this;
  ListHook* next_ = this;
};

/// First in, first out, without memory of its own: the elements are linked through their hooks. Owns nothing.
template <typename T, typename Tag>
class List {
 public:
  [[nodiscard]] bool empty() const { return !ends_.linked(); }
  [[nodiscard]] T* front() const { return empty() ? nullptr : static_cast<T*>(ends_.next_); }

  /// Moves the element here if it is elsewhere.
  void push_back(T& element) {
    ListHook<Tag>& hook = element;
    hook.unlink();
    hook.previous_ = ends_.previous_;
    hook.next_ = &ends_;
    ends_.previous_->next_ = &hook;
    ends_.previous_ = &hook;
  }
  T* pop_front() {
    T* first = front();
    if (first != nullptr) static_cast<ListHook<Tag>&>(*first).unlink();
    return first;
  }
  static void remove(T& element) { static_cast<ListHook<Tag>&>(element).unlink(); }
  [[nodiscard]] static bool contains(const T& element) {
    return static_cast<const ListHook<Tag>&>(element).linked();
  }

  /// Calls visit(element) for each; the visited element may leave the list meanwhile.
  template <typename Visit>
  void for_each(Visit visit) {
    for (ListHook<Tag>* hook = ends_.next_; hook != &ends_;) {
      ListHook<Tag>* const next = hook->next_;
      visit(*static_cast<T*>(hook));
      hook = next;
    }
  }

 private:
  ListHook<Tag> ends_;
};

}  // namespace minivault::net
