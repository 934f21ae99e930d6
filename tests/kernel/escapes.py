"""Ways out of a jar under vacuum, as a service would try them. One table: what is tried, what stops it, what is seen.

    python tests/kernel/escapes.py            prints the table, as it stands in tests/README.md
    python tests/kernel/escapes.py try        tries each one here and now: one JSON line for each

`test_escapes` runs the second inside a jar of the lab `checkout` with everything cut, name service too.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import NamedTuple

import attacks_on_the_agent as attacks
import calls_past_the_seal as calls


class Escape(NamedTuple):
    tried: str
    stops: str
    seen: str
    attempt: Callable[[], str]
    """Its result; raises OSError where it was stopped. Whatever it returns got out."""
    blocked: str = ""
    """The dependency that the blocked call must be counted against."""


AUTH = f"tcp://{calls.HOST4}:{calls.PORT}"
_RULES = "the seal: the kernel's table, which only the agent may change"
_RIGHTS = "no capability over the jar's network: the service lives in a user namespace below"
_FENCED = "the agent is not dumpable, and of another user namespace"
_MOUNTS = "no capability over the jar's mounts; in namespaces of its own the kernel has them locked"
_HANDS_OFF = "such calls about PID 1 are refused"
_DEAF = "it is PID 1, deaf to its own jar"
_FAMILIES = "families past every table cannot be made"
_ROW = "a blocked call, at its row"
_ERROR = "the service has the error; nothing went out"

ESCAPES = {
    "tcp": Escape("a connection by address", _RULES, _ROW, calls.tcp4, AUTH),
    "ipv6": Escape("IPv6", _RULES, _ROW, calls.tcp6, f"tcp://[{calls.HOST6}]:{calls.PORT}"),
    "mptcp": Escape("multipath TCP", _RULES, _ROW, calls.mptcp, AUTH),
    "fast open": Escape("TCP fast open: data in the first packet", _RULES, _ROW, calls.fast_open, AUTH),
    "udp": Escape("a datagram", _RULES, _ROW, calls.udp, f"udp://{calls.TIME[0]}:{calls.TIME[1]}"),
    "fragments": Escape(
        "a datagram in fragments", _RULES, _ROW, calls.fragments, f"udp://{calls.TIME[0]}:{calls.TIME[1]}"
    ),
    "protocol": Escape("another protocol: UDP-Lite", _RULES, _ERROR, calls.other_protocol),
    "ping": Escape("a ping", _RULES, _ROW, calls.ping, f"icmp://{calls.HOST4}"),
    "ping6": Escape("a ping over IPv6", _RULES, _ROW, calls.ping6, f"icmp://[{calls.HOST6}]"),
    "device": Escape("the interface chosen by name", _RULES, _ROW, calls.by_interface, AUTH),
    "broadcast": Escape("a broadcast", _RULES, _ROW, calls.broadcast, "udp://10.77.0.255:123"),
    "name server": Escape("another DNS server", "every query goes to the agent", _ROW, calls.other_name_server, "dns:"),
    "dns over tcp": Escape("DNS over TCP", "every query goes to the agent", _ROW, calls.names_over_tcp, "dns:"),
    "mark": Escape("the mark of the agent's own packets", _RIGHTS, _ERROR, calls.agents_mark),
    "raw": Escape("a raw socket", _RIGHTS, _ERROR, calls.raw),
    "packet": Escape("a packet socket", _RIGHTS, _ERROR, calls.packet),
    "new network": Escape("a network namespace of its own", "it leads nowhere", _ERROR, calls.new_network),
    "table": Escape("deleting the table", _RIGHTS, _ERROR, attacks.delete_table),
    "nested": Escape("the same as root of a nested user namespace", _RIGHTS, _ERROR, attacks.delete_as_nested_root),
    "interface": Escape("taking the interface down", _RIGHTS, _ERROR, attacks.interface_down),
    "route": Escape("changing routes", _RIGHTS, _ERROR, attacks.change_route),
    "settings": Escape("`/proc/sys/net`", "it is mounted read-only", _ERROR, attacks.setting),
    "new proc": Escape("a `/proc` of its own", _MOUNTS, _ERROR, attacks.setting_on_a_new_proc),
    "uncover": Escape("unmounting what covers `/proc/sys`", _MOUNTS, _ERROR, attacks.setting_uncovered),
    "mount": Escape("mounting over a file", _MOUNTS, _ERROR, attacks.mount_over),
    "resolver": Escape("unmounting the resolver's file", _MOUNTS, _ERROR, attacks.uncover_the_resolver),
    "ptrace": Escape("tracing the agent", _FENCED, _ERROR, attacks.trace),
    "memory": Escape("the agent's memory", _FENCED, _ERROR, attacks.agents_memory),
    "pipes": Escape("writing to the agent's pipes", _FENCED, _ERROR, attacks.agents_files),
    "descriptor": Escape("taking a descriptor of the agent", _FENCED, _ERROR, attacks.copy_of_agents_file),
    "net of 1": Escape("entering `/proc/1/ns/net`", _FENCED, _ERROR, lambda: attacks.enter("net")),
    "mnt of 1": Escape("entering `/proc/1/ns/mnt`", _FENCED, _ERROR, lambda: attacks.enter("mnt")),
    "pidfd": Escape("entering the agent's network by its pidfd", _FENCED, _ERROR, attacks.enter_through_the_pid),
    "root of 1": Escape("looking through `/proc/1/root`", _FENCED, _ERROR, attacks.agents_root),
    "kill": Escape("`kill -9` of the agent", _DEAF, _ROW, attacks.kill(signal.SIGKILL), AUTH),
    "stop": Escape("stopping the agent", _DEAF, _ROW, attacks.kill(signal.SIGSTOP), AUTH),
    "kill by pidfd": Escape("`kill -9` of the agent by its pidfd", _DEAF, _ROW, attacks.kill_by_pidfd, AUTH),
    "limits": Escape("lowering the agent's limits", _HANDS_OFF, _ERROR, attacks.agents_limits),
    "limits in 32 bits": Escape("the same as a 32-bit program", _HANDS_OFF, _ERROR, attacks.agents_limits_in_32_bits),
    "processor": Escape("binding the agent to one processor", _HANDS_OFF, _ERROR, attacks.agents_processor),
    "scheduling": Escape("letting the agent run only when idle", _HANDS_OFF, _ERROR, attacks.agents_scheduling),
    "priority": Escape("lowering the agent's priority", _HANDS_OFF, _ERROR, attacks.agents_priority),
    "io priority": Escape("lowering its priority at the disk", _HANDS_OFF, _ERROR, attacks.agents_io_priority),
    "pages": Escape("sending the agent's memory away", _FENCED, _ERROR, attacks.agents_pages),
    "compare": Escape("comparing its descriptors with one's own", _FENCED, _ERROR, attacks.compare_with_agent),
    "vsock": Escape("a socket to a virtual machine's host", _FAMILIES, _ERROR, calls.host_of_the_machine),
    "io_uring": Escape("the same through io_uring", "there is no io_uring in a jar", _ERROR, calls.ring_of_vsock),
    "32 bits": Escape("the same as a 32-bit program", _FAMILIES, _ERROR, calls.vsock_in_32_bits),
    "socketcall": Escape("the same through `socketcall`", _FAMILIES, _ERROR, calls.vsock_by_socketcall),
    "changing": Escape(
        "the same, asking for another one first", "the agent makes such sockets", _ERROR, calls.socketcall_that_changes
    ),
    "x32": Escape("the same as an x32 program", "there are no x32 programs in a jar", _ERROR, calls.x32),
    "abstract": Escape(
        "an abstract Unix socket", "they belong to the network namespace", _ERROR, calls.abstract_socket
    ),
}


def table() -> str:
    """The table in Markdown."""
    rows = [f"| {one.tried} | {one.stops} | {one.seen} |" for one in ESCAPES.values()]
    return "\n".join(["| tried | what stops it | what you see |", "|---|---|---|", *rows])


def _try(name: str) -> dict[str, object]:
    """Try one in a process of its own."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        try:
            said: dict[str, object] = {"got_out": True, "said": ESCAPES[name].attempt()}
        except OSError as error:
            said = {"got_out": False, "said": errno.errorcode.get(error.errno or 0, str(error))}
        os.write(write, json.dumps({"escape": name, **said}).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        line = pipe.read()
    os.waitpid(pid, 0)
    result = json.loads(line) if line else {"escape": name, "got_out": False, "said": "it was ended"}
    return {**result, "pid": pid}


def main() -> None:
    if sys.argv[1:] != ["try"]:
        print(table())
        return
    for name in ESCAPES:
        print(json.dumps(_try(name)), flush=True)
    print(json.dumps({"escape": "", "got_out": False, "said": "all tried"}), flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
