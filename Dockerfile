# minivault in a container. `docker build -t minivault .`; three nodes: docker-compose.yml.
# Every instruction is one that packaging/replay-dockerfile can replay in a chroot, where there is no Docker.

FROM debian:12-slim AS build
WORKDIR /src
# The list of what a build needs is in one place only.
COPY packaging/deps.sh packaging/
RUN packaging/deps.sh && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt CMakePresets.json ./
COPY .ci/checkheaders.cmake .ci/
COPY bench/floor.cpp bench/
COPY packaging/install.cmake packaging/
COPY common common/
COPY supervisor supervisor/
COPY worker worker/
COPY replicator replicator/
RUN cmake --preset optimized && cmake --build --preset optimized --target minivault

FROM debian:12-slim
# What `packaging/build` finds the program to need; and a user whose number is the same everywhere, for volumes.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends liblmdb0 libpocojson80 liburing2 libxxhash0 libzstd1 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 minivault \
    && useradd --system --uid 10001 --gid minivault --no-create-home --home-dir /data --shell /usr/sbin/nologin minivault \
    && install --directory --owner=minivault --group=minivault --mode=0750 /data
COPY --from=build /src/build-optimized/minivault /usr/bin/
VOLUME /data
EXPOSE 3000
# A number, so that who demands a user that is not root can see it.
USER 10001:10001
# The supervisor is process 1: it takes SIGTERM, and reaps whatever is left to it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=2m --retries=3 CMD ["minivault", "health", "localhost:3000"]
ENTRYPOINT ["minivault"]
