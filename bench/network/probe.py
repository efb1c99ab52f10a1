"""When a write that one node acknowledged can be read from the others: a client of the binary protocol that asks both,
again and again, with as little of its own in between as Python allows."""

import select
import socket
import struct
import time

DONE = b"\x00"


def _get(key):
    return b"\x01" + struct.pack("<H", len(key)) + key


def _set(key, value):
    return b"\x02" + struct.pack("<H", len(key)) + key + struct.pack("<IB", len(value), 0) + value


class Connection:
    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(10)

    def send(self, request):
        self._socket.sendall(request)

    def answer(self):
        """(done, value)"""
        head = self._receive(5)
        return head[:1] == DONE, self._receive(struct.unpack("<I", head[1:])[0])

    def take_done(self):
        """Waits for the answer of a write; when it came."""
        if not self.answer()[0]:
            raise RuntimeError("a write was not acknowledged")
        return time.perf_counter()

    def has_answer(self):
        return bool(select.select([self._socket], [], [], 0)[0])

    def _receive(self, size):
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise RuntimeError("a node closed the connection")
            data += part
        return data

    def close(self):
        self._socket.close()


def _propagate(writer, readers, number, at_once):
    key, value = b"propagation", b"%0100d" % number
    begin = time.perf_counter()
    writer.send(_set(key, value))
    answered = None if at_once else writer.take_done()
    behind = set(readers)
    while behind or answered is None:
        for reader in behind:
            reader.send(_get(key))
        behind = {reader for reader in list(behind) if reader.answer() != (True, value)}
        read = time.perf_counter()
        if answered is None and (not behind or writer.has_answer()):
            answered = writer.take_done()
        if read > begin + 10:
            raise RuntimeError("a write does not arrive")
    return {"from_request": read - begin, "from_answer": max(0, read - answered), "answer": answered - begin}


def propagation(ports, writes, pause, at_once):
    """Writes to the first node, one after the other, each asked for at the others until both have it; `at_once`: from the
    request on, else from its answer on, so that asking does not disturb it. For each, in seconds: from the request until it
    was read from both; from the answer (0: before it); from the request until the answer."""
    writer, *readers = connections = [Connection(port) for port in ports]
    found = []
    for number in range(writes):
        found.append(_propagate(writer, readers, number, at_once))
        time.sleep(pause)
    for connection in connections:
        connection.close()
    return found


def _one_round_trip(connection):
    begin = time.perf_counter()
    connection.send(_get(b"propagation"))
    connection.answer()
    return time.perf_counter() - begin


def round_trips(port, count):
    """What asking costs this client by itself."""
    connection = Connection(port)
    times = [_one_round_trip(connection) for _ in range(count)]
    connection.close()
    return times
