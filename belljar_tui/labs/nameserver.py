"""A lab's name server: A and AAAA for the hosts of the lab, NXDOMAIN for the rest."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import cast

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

_TTL_S = 5


def answer(query: bytes, hosts: dict[str, tuple[str, str]]) -> bytes:
    """The answer's bytes, empty for what is no query. `hosts`: name -> IPv4 and IPv6 address."""
    try:
        asked = dns.message.from_wire(query)
        question = asked.question[0]
    except (dns.exception.DNSException, IndexError):
        return b""
    response = dns.message.make_response(asked, recursion_available=True)
    found = hosts.get(question.name.to_text(omit_final_dot=True).lower())
    if found is None:
        response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()
    kinds = {dns.rdatatype.A: found[0], dns.rdatatype.AAAA: found[1]}
    if question.rdtype in kinds:
        kind = dns.rdatatype.to_text(question.rdtype)
        response.answer.append(dns.rrset.from_text(question.name, _TTL_S, "IN", kind, kinds[question.rdtype]))
    return response.to_wire()


async def serve(address: str, hosts: dict[str, tuple[str, str]], is_silent: Callable[[], bool] = lambda: False) -> None:
    """Listen on port 53 of `address`, UDP and TCP. While it is silent it answers nobody."""

    class Datagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.DatagramTransport, transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            said = answer(data, hosts)
            if said and not is_silent():
                self.transport.sendto(said, addr)

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            size = struct.unpack(">H", await reader.readexactly(2))[0]
            said = answer(await reader.readexactly(size), hosts)
            if said and not is_silent():
                writer.write(struct.pack(">H", len(said)) + said)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass  # the caller went away
        finally:
            writer.close()

    await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, (address, 53))
    await asyncio.start_server(stream, address, 53)
