"""An OPC UA server that Millwright did not write, for tests: python3 opcua_server.py PORT

Four tags in namespace 2. The counter's value is the number of seconds between a fixed time and its source time, so that a reader can
check that value and time stayed together.
"""

import asyncio
import datetime
import sys

from asyncua import Server, ua

START = datetime.datetime.fromtimestamp(1_772_348_400, tz=datetime.timezone.utc)


async def main(port: int) -> None:
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/mill/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await server.register_namespace("urn:millwright:tags")

    async def tag(name: str, value, kind):
        return await server.nodes.objects.add_variable(ua.NodeId(name, 2), name, value, kind)

    counter = await tag("LOOM-21.counter", 0, ua.VariantType.Int32)
    tension = await tag("LOOM-21.tension", 0.0, ua.VariantType.Double)
    state = await tag("LOOM-21.state", "停止", ua.VariantType.String)
    broken = await tag("LOOM-21.broken", 0.0, ua.VariantType.Float)

    async def write(node, value, kind, second: int, status=ua.StatusCodes.Good) -> None:
        time = START + datetime.timedelta(seconds=second)
        variant = ua.Variant(value, kind)
        data = ua.DataValue(variant, ua.StatusCode(status), time, datetime.datetime.now(datetime.timezone.utc))
        await server.write_attribute_value(node.nodeid, data)

    await write(counter, 0, ua.VariantType.Int32, 0)
    async with server:
        second = 0
        while True:
            second += 1
            await write(counter, second, ua.VariantType.Int32, second)
            await write(tension, 200 + second / 8, ua.VariantType.Double, second)
            await write(state, "运行" if second % 2 else "停止", ua.VariantType.String, second)
            bad = ua.StatusCodes.BadDeviceFailure if second % 3 == 0 else ua.StatusCodes.Good
            await write(broken, second * 0.5, ua.VariantType.Float, second, bad)
            await asyncio.sleep(0.05)


asyncio.run(main(int(sys.argv[1])))
