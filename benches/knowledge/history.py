"""The history of a weaving mill that `bench.py` brings in: the same for the same number of episodes, whoever asks and in whatever order."""

import datetime
import pathlib
import random

LOOMS = 200
SIGNALS = ["warp_tension", "loom_speed", "air_pressure", "arrival_angle", "bearing_temperature", "motor_current", "vibration", "oil_pressure", "humidity", "air_flow"]
START = datetime.datetime(2023, 1, 1, tzinfo=datetime.timezone.utc)
YEARS = 3
DEFINITIONS = LOOMS * (1 + len(SIGNALS)) + 1

# Failure mode, item, name, and what is seen: as in domain/src/taxonomy/loom.rs. What is said in Chinese comes from knowledge/eval/data/looms.tsv.
MODES = [
    ("SHD-TIM", "shedding", "shedding out of time", ["unclear shed", "floats", "weft hits the warp"]),
    ("SHD-CAM", "shedding", "shedding cam or lever worn", ["heald frames shake", "knocking", "vibration"]),
    ("HLD-WIR", "heald_frame", "heald broken or worn", ["warp breaks at one place", "many warp stops", "stitches"]),
    ("HLD-FRM", "heald_frame", "heald frame cracked or loose", ["heald frame rattles", "uneven shed"]),
    ("REE-DAM", "reed", "reed damaged", ["reed marks", "warp breaks at one place", "hairy warp"]),
    ("WIN-LAT", "weft_insertion", "weft arrives late", ["arrival angle grows", "many weft stops", "short picks"]),
    ("WIN-BLO", "weft_insertion", "weft insertion failure", ["many weft stops", "missing picks", "weft blown apart"]),
    ("WIN-CUT", "weft_cutter", "weft cutter cuts badly", ["long weft tails", "weft is not cut", "lashing-in"]),
    ("NOZ-MAI", "main_nozzle", "main nozzle clogged or worn", ["arrival angle grows", "weft slow at normal pressure", "weft stops"]),
    ("NOZ-REL", "relay_nozzle", "relay nozzle clogged", ["arrival angle scatters", "weft loops", "air flow changes"]),
    ("AIR-LOW", "air_supply", "air pressure too low", ["low air pressure", "weft stops on many looms", "arrival angle grows"]),
    ("AIR-LEA", "air_supply", "air leak", ["hissing", "air flow grows", "pressure falls"]),
    ("BTU-WEA", "beat_up", "beat-up worn", ["thick and thin places", "sley is loose", "vibration"]),
    ("LET-TEN", "let_off", "let-off tension out of control", ["warp tension swings", "warp tension high", "warp breaks", "thick and thin places"]),
    ("LET-DRV", "let_off", "let-off drive worn", ["uneven let-off", "tension swings with a period", "bars"]),
    ("TAK-SLP", "take_up", "take-up slips", ["uneven pick density", "thin places", "slack cloth"]),
    ("TAK-GEA", "take_up", "take-up gear worn", ["thick and thin places with a period", "take-up is noisy"]),
    ("ACC-FEE", "accumulator", "accumulator does not feed", ["too few windings", "weft stops", "broken picks"]),
    ("ACC-PIN", "accumulator", "accumulator pin sticks", ["double picks", "missing picks", "long and short picks"]),
    ("WRP-STP", "warp_stop_motion", "warp stop motion fails", ["no stop at a warp break", "false stops", "warp stop without a break"]),
    ("WFT-STP", "weft_stop_motion", "weft stop motion fails", ["no stop at a missing pick", "false stops", "weft feeler dirty"]),
    ("SEL-DEV", "selvedge_device", "selvedge device fails", ["bad selvedge", "slack selvedge", "selvedge yarn breaks"]),
    ("TEM-DAM", "temple", "temple damaged", ["temple marks", "holes near the selvedge"]),
    ("BEA-WEA", "drive_bearing", "drive bearing worn", ["vibration", "bearing hot", "noise", "motor current grows"]),
    ("BEA-LUB", "drive_bearing", "drive bearing badly lubricated", ["bearing hot", "dry noise", "motor current grows"]),
    ("MOT-OVL", "main_motor", "main motor overloaded", ["high current", "motor hot", "breaker trips"]),
    ("BRK-SLP", "brake", "brake slips", ["stops at a wrong angle", "starting marks", "overruns at a stop"]),
    ("LUB-LOW", "lubrication", "oil low", ["oil level low", "oil pressure alarm"]),
    ("ELC-CTL", "electrical_control", "electrical control fails", ["controller hangs", "does not start", "communication lost", "false alarms"]),
    ("ELC-SEN", "electrical_control", "sensor fails", ["signal lost", "reading does not change", "reading jumps"]),
]
# When and where, in both languages.
WHEN = [
    ("换品种后", "after the style change"), ("了机后", "after the beam ran out"), ("夜班开始", "since the night shift"), ("刚开车", "right after starting"),
    ("高速时", "at high speed"), ("低速也有", "at low speed too"), ("天一热", "when it gets warm"), ("湿度低时", "when the air is dry"),
    ("清洁之后", "after cleaning"), ("加油之后", "after greasing"), ("上周修过", "was repaired last week"), ("间歇出现", "comes and goes"),
    ("越来越频繁", "more and more often"), ("一小时三次", "three times an hour"), ("停车再开又好", "gone after a restart"), ("换纬之后", "after the weft lot changed"),
    ("气压波动时", "when the pressure swings"), ("空车也响", "also without cloth"), ("邻台没有", "not on the next loom"), ("同批经轴都有", "on all looms with this beam lot"),
]
WHERE = [
    ("左侧", "left side"), ("右侧", "right side"), ("中间", "in the middle"), ("靠墙侧", "wall side"), ("传动侧", "drive side"), ("第一页", "first frame"), ("第三页", "third frame"),
    ("上层", "upper layer"), ("下层", "lower layer"), ("后梁", "back rest"), ("胸梁", "breast beam"), ("电控箱", "control cabinet"), ("机架", "frame"), ("气管", "air hose"),
    ("一号喷嘴", "nozzle 1"), ("二号喷嘴", "nozzle 2"), ("边撑", "temple"), ("卷取侧", "take-up side"), ("送经侧", "let-off side"), ("出口侧", "exit side"),
]
ACTIVITIES = [("replace", "更换", "replaced"), ("repair", "修理", "repaired"), ("service", "清洁", "cleaned"), ("adjust", "调整", "adjusted"), ("check", "检查", "checked")]
DEFECTS = ["double_pick", "broken_end", "reed_mark", "stain", "thin_place"]
PRODUCTS = [f"style-{number:02}" for number in range(40)]


def clauses(part):
    """What fixers said of each mode, clause by clause."""
    said = {mode: [] for mode, *_ in MODES}
    path = pathlib.Path(__file__).resolve().parents[2] / "knowledge/eval/data/looms.tsv"
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            of, mode, text = line.split("\t")
            if of == part:
                said[mode].extend(text.split("，"))
    return said


class History:
    """The events of episodes 0, 1, …; `episode` can be asked for any of them, also for ones beyond those that were brought in."""

    def __init__(self, episodes, part="history"):
        self.step_s = YEARS * 365 * 86400 / episodes
        self.said = clauses(part)

    def loom(self, number):
        return f"L{number % LOOMS:03}"

    def texts(self, numbers, mode, number):
        """The same fault, in Chinese and in English."""
        code, item, name, seen = mode
        (zh_when, en_when), (zh_where, en_where) = numbers.choice(WHEN), numbers.choice(WHERE)
        zh = [numbers.choice(self.said[code])]
        en = [numbers.choice(seen), f"{item.replace('_', ' ')} {en_where}"]
        if numbers.random() < 0.5:
            zh.append(numbers.choice(self.said[code]))
            en.append(numbers.choice(seen))
        if numbers.random() < 0.6:
            zh.append(zh_when)
            en.append(en_when)
        if numbers.random() < 0.15:
            other = numbers.choice(MODES)
            zh.append(numbers.choice(self.said[other[0]]))
            en.append(numbers.choice(other[3]))
        if numbers.random() < 0.3:
            zh.append(f"{zh_where}{numbers.randrange(5, 400)}公分")
            en.append(f"{numbers.randrange(5, 400)} cm from the edge")
        return f"{number % LOOMS + 1}号车" + "，".join(zh), ", ".join(en)

    def definitions(self):
        """Looms and signals."""
        yield event("def-shed", START, "equipment.defined", equipment="shed-1", name={"zh": "一车间", "en": "shed 1"}, level="area")
        for loom in range(LOOMS):
            asset = self.loom(loom)
            name = {"zh": f"{loom + 1} 号喷气织机", "en": f"Air-jet loom {loom + 1}"}
            yield event(f"def-{asset}", START, "asset.registered", asset=asset, name=name, **{"class": "air-jet-loom"}, maker="Example Looms", model="AJ-190", serial=f"190-{loom}")
            for quantity in SIGNALS:
                yield event(f"def-{asset}-{quantity}", START, "signal.defined", signal=f"{asset}.{quantity}", asset=asset, quantity=quantity, name={"en": quantity.replace("_", " ")}, unit="1", period_ms=1000)

    def episode(self, number):
        """The events of one episode, in the order in which they happened: alarms, a fault with its work order, a stop, and what was woven, inspected and set meanwhile."""
        numbers = random.Random(number * 7919 + 11)
        asset, at = self.loom(number), START + datetime.timedelta(seconds=number * self.step_s)
        mode = MODES[min(int(numbers.expovariate(0.09)), len(MODES) - 1)]
        code, item, name, _ = mode
        zh, en = self.texts(numbers, mode, number)
        spoken = numbers.random()
        symptoms = {"zh": zh} if spoken < 0.5 else {"en": en} if spoken < 0.8 else {"zh": zh, "en": en}
        fault, order, product = f"F-{number}", f"WO-{number}", PRODUCTS[number % len(PRODUCTS)]
        activity, zh_done, en_done = ACTIVITIES[min(int(numbers.expovariate(0.7)), len(ACTIVITIES) - 1)]
        made, minute = [], 0.0

        def add(kind, /, **data):
            nonlocal minute
            minute += 1 + numbers.random() * 4
            made.append(event(f"e{number}-{len(made)}", at + datetime.timedelta(minutes=minute), kind, **data))

        alarms = [f"A-{100 + MODES.index(mode) * 10 + numbers.randrange(10)}" for _ in range(4)]
        for index, alarm in enumerate(alarms):
            add("alarm.raised", alarm=f"{asset}-{number}-{index}", asset=asset, code=alarm, text={"zh": f"{numbers.choice(self.said[code])}，报警", "en": f"{name} alarm, {numbers.choice(WHERE)[1]}"}, severity=300 + 100 * index)
        add("fault.observed", fault=fault, asset=asset, symptoms=symptoms, alarms=alarms[:2], detection="continuous_monitoring", impact="degraded", product=product, person=f"P-{numbers.randrange(60)}")
        add("asset.state_changed", asset=asset, state="down", reason=item)
        told = {"zh": f"检查{zh_done}，{zh}"} if "zh" in symptoms else {"en": f"check {item.replace('_', ' ')}, {en}"}
        add("work_order.opened", work_order=order, asset=asset, fault=fault, category="corrective", description=told, item=item, priority=1 + numbers.randrange(4))
        hours = round(0.2 + numbers.random() * 3, 2)
        did = {"zh": f"{zh_done}{numbers.choice(WHERE)[0]}，{numbers.choice(WHEN)[0]}正常"} if "zh" in symptoms else {"en": f"{en_done} {item.replace('_', ' ')}, {numbers.choice(WHERE)[1]}"}
        add("work_order.work_done", work_order=order, asset=asset, fault=fault, activity=activity, item=item, text=did, hours=hours, cost=round(hours * 80, 2), person=f"P-{numbers.randrange(60)}")
        if numbers.random() < 0.9:
            add("fault.coded", fault=fault, asset=asset, mode=code, mechanism="2.4", item=item, person=f"P-{numbers.randrange(60)}")
        add("work_order.closed", work_order=order, asset=asset, outcome="solved" if numbers.random() < 0.85 else "not_solved", hours=hours)
        add("fault.closed", fault=fault, asset=asset)
        for index in range(len(alarms)):
            add("alarm.cleared", alarm=f"{asset}-{number}-{index}", asset=asset)
        add("asset.state_changed", asset=asset, state="running")
        value = round(1.5 + numbers.random(), 2)
        add("asset.set_point_changed", asset=asset, parameter="warp_tension", to=value, unit="kN", person=f"P-{numbers.randrange(60)}", product=product, reason={"zh": numbers.choice(WHEN)[0] + "断经减少", "en": "fewer warp breaks " + numbers.choice(WHEN)[1]})
        for index in range(2):
            roll = f"R-{number}-{index}"
            add("weaving.cloth_doffed", asset=asset, roll=roll, order=f"JO-{number % LOOMS}", product=product, picks=300000, length_m=120.0, beams=[], wefts=[])
            defect = DEFECTS[numbers.randrange(len(DEFECTS))]
            bad = numbers.random() < 0.5
            add("inspection.recorded", inspection=f"I-{number}-{index}", lot=roll, asset=asset, product=product, measurements=[{"characteristic": "width", "value": round(1.6 + numbers.gauss(0, 0.004), 4), "unit": "m", "lower_limit": 1.59, "upper_limit": 1.62}], defects=[{"code": defect, "points": 2 + 2 * bad, "at_m": round(numbers.random() * 120, 1)}], verdict="fail" if bad else "pass", person=f"P-{numbers.randrange(60)}")
            if bad:
                add("nonconformance.raised", nonconformance=f"NC-{number}-{index}", inspection=f"I-{number}-{index}", lot=roll, asset=asset, code=defect, description={"zh": numbers.choice(self.said[code]), "en": f"{defect.replace('_', ' ')}, {numbers.choice(WHERE)[1]}"})
        return made


def event(name, time, kind, /, **data):
    return {"type": kind, "time": time.isoformat(timespec="seconds").replace("+00:00", "Z"), "source": "bench", "external_id": name, "data": data}


KINDS = ["Chinese words", "English words", "whole texts", "slips", "codes"]


def questions(kind, count, episodes):
    """Questions as people ask them, in the wording of episodes that were not brought in: Chinese ones in clauses that no record has."""
    numbers, history = random.Random(KINDS.index(kind) + 101), History(episodes, "dev")
    for number in range(count):
        mode = numbers.choice(MODES)
        zh, en = history.texts(numbers, mode, numbers.randrange(LOOMS))
        if kind == "Chinese words":
            yield f"{numbers.choice(history.said[mode[0]])} {numbers.choice(WHERE)[0]}"
        elif kind == "English words":
            yield f"{mode[1].replace('_', ' ')} {numbers.choice(mode[3])}"
        elif kind == "whole texts":
            yield zh if number % 2 else en
        elif kind == "slips":
            at = numbers.randrange(len(en) - 1)
            yield en[:at] + en[at + 1 :]
        else:
            yield numbers.choice([mode[0], f"A-{100 + numbers.randrange(300)}", f"WO-{numbers.randrange(episodes)}"])
