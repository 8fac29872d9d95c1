"""An assistant's side of the Model Context Protocol, by its own library (PyPI: mcp).

usage: mcp_client.py http URL            over streamable HTTP, at URL
       mcp_client.py stdio PROGRAM URL   over standard input and output, of `PROGRAM mcp --server URL`

It asks what an assistant would ask, and prints what it was told as one JSON object.
"""

import asyncio
import json
import sys

from mcp import Client, MCPError, StdioServerParameters


async def told(client, tool, arguments):
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as error:
        return {"refused": str(error)}
    return {"error": bool(result.is_error), "answer": result.structured_content, "texts": len(result.content)}


async def main():
    if sys.argv[1] == "http":
        server = sys.argv[2]
    else:
        server = StdioServerParameters(command=sys.argv[2], args=["mcp", "--server", sys.argv[3]])
    async with Client(server) as client:
        listed = await client.list_tools()
        answers = {
            "server": client.server_info.name,
            "instructions": client.instructions,
            "tools": {
                tool.name: {
                    "title": tool.title,
                    "read_only": tool.annotations.read_only_hint,
                    "takes": sorted(tool.input_schema["properties"]),
                    "required": tool.input_schema.get("required", []),
                }
                for tool in listed.tools
            },
            "search": await told(client, "search", {"q": "弯纱 weft stop", "limit": 5}),
            "trace": await told(client, "trace", {"kind": "lot", "id": "R-7/第1卷", "direction": "back"}),
            "event": await told(client, "event", {"position": 0}),
            "diagnose": await told(client, "diagnose", {"body": {"symptoms": "weft break at the left side"}}),
            "unknown_lot": await told(client, "trace", {"kind": "lot", "id": "nothing-of-that-name"}),
            "no_such_parameter": await told(client, "search", {"query": "x"}),
            "missing_parameter": await told(client, "trace", {"kind": "lot"}),
            "no_such_tool": await told(client, "erase_everything", {}),
        }
    print(json.dumps(answers))


asyncio.run(main())
