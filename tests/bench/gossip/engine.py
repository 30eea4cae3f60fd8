"""Backends that never answer a request, and serve the models that they are told to (PUT /NAME).

usage: engine.py ADDRESS COUNT"""
import asyncio
import contextlib
import json
import sys

from room import ENGINE_PORT


async def engine(host, count):
    extra = {}

    async def serve(index, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, path = head.split(" ")[:2]
                if method == "POST":
                    while await reader.read(4096):
                        pass
                    break
                if method == "PUT":
                    extra[index] = path[1:]
                names = [f"m{index}"] + ([extra[index]] if index in extra else [])
                listed = [{"id": n, "object": "model"} for n in names]
                known = path == "/v1/models"
                body = json.dumps({"object": "list", "data": listed} if known else {})
                writer.write(f"HTTP/1.1 {200 if known else 404} X\r\ncontent-type: application/json"
                             f"\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()

    for i in range(count):
        await asyncio.start_server(lambda r, w, i=i: serve(i, r, w), host, ENGINE_PORT + i)
    await asyncio.Event().wait()


asyncio.run(engine(sys.argv[1], int(sys.argv[2])))
