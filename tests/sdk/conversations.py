"""Which conversations are held through which providers: conversations.json, played by every chain.

A chain is one provider, or two, of which the first fails: with `openai>gemini` the first answer of a
conversation is the first one's, so that the second has to go on with what the first has said.
"""

import itertools
import json
from pathlib import Path

TABLE = json.loads((Path(__file__).resolve().parent / "conversations.json").read_text())

# How segue reaches the simulator as each provider. Between the first three, answers are translated
# and fall back to each other; the others differ from OpenAI at the edges.
FORMATS = ["openai", "anthropic", "gemini"]
PROVIDERS = {
    "openai": {"dialect": "openai", "base_url": "/v1"},
    "anthropic": {"dialect": "anthropic", "base_url": ""},
    "gemini": {"dialect": "gemini", "base_url": "/v1beta"},
    "azure": {"dialect": "openai", "profile": "azure", "api_version": "2024-10-21", "base_url": ""},
    "mistral": {"dialect": "openai", "profile": "mistral", "base_url": "/v1"},
}
# What a case says of its routes, and not of what is said.
OURS = ("steps", "route", "both", "alone", "providers")
ENDLESS = "tokens=inf,delay=5ms"


def providers(names, sim):
    """Their sections of the configuration."""
    common = {"credential": "env:SIM_KEY", "private_peers": True}
    return {name: PROVIDERS[name] | common | {"base_url": sim + PROVIDERS[name]["base_url"]} for name in names}


def scripts():
    """What each of the simulator's models does."""
    told = {f"fault.{place}": fault["script"] for place, fault in enumerate(TABLE["faults"])}
    for name, case in TABLE["cases"].items():
        told |= {f"{name}.{place}": step["answer"] for place, step in enumerate(case["steps"])}
    return told | {"leave": ENDLESS}


def chains(names):
    """Each provider alone, and each format in place of each other."""
    alone = [(name,) for name in names]
    return alone + list(itertools.permutations([name for name in FORMATS if name in names], 2))


def plan(names):
    """What the clients read: every conversation that is to be held, and what is shown in them."""
    return {key: TABLE[key] for key in ("files", "schemas", "tools")} | {"held": held(names)}


def held(names):
    """Each of the conversations' steps names the route and who answers."""
    all_held = []
    for name, case in TABLE["cases"].items():
        shared = {key: value for key, value in case.items() if key not in OURS}
        for place, chain in enumerate(chains(names)):
            if not set(chain) <= set(case.get("providers", chain)) or (case.get("alone") and len(chain) > 1):
                continue
            steps = [played(name, number, chain, place) for number in range(len(case["steps"]))]
            all_held.append(shared | {"name": name, "chain": ">".join(chain), "steps": steps})
    return all_held


def played(name, number, chain, place):
    """One step: what is said and expected, the route, and which target answers at which attempt."""
    step = {key: value for key, value in TABLE["cases"][name]["steps"][number].items() if key != "answer"}
    targets = [target for [target] in tiers(name, number, chain, place)["tiers"]]
    answering = next(at for at, target in enumerate(targets) if "/fault." not in target)
    asked = {"model": route_name(name, number, chain)}
    return step | asked | {"target": targets[answering], "attempts": answering + 1}


def routes(names):
    """The routes of all conversations; each target is asked once and left alone for nothing."""
    made = {f"leave@{name}": route({"tiers": [[f"{name}/leave"]]}) for name in names}
    for name, case in TABLE["cases"].items():
        for place, chain in enumerate(chains(names)):
            for number in range(len(case["steps"])):
                own = case.get("route", {}) | tiers(name, number, chain, place)
                made[route_name(name, number, chain)] = route(own, [case["steps"][number]["answer"]])
    return made


def route(own, scripts=()):
    """With short clocks only where a script is silent: elsewhere a busy machine must not look like a dead provider."""
    is_silent = any("hang" in script or "stall" in script for script in scripts)
    clocks = {"first_token": "2s", "stall": "1s"} if is_silent else {"first_token": "15s", "stall": "15s"}
    return {"timeouts": clocks, "retries": {"same_target": 0}, "breaker": "off"} | own


def route_name(name, number, chain):
    return f"{name}.{number}@{'>'.join(chain)}"


def tiers(name, number, chain, place):
    """The targets of a step in their order; where the first one fails, how differs from chain to chain."""
    case = TABLE["cases"][name]
    model = f"{name}.{number}"
    begins = number == 0 and len(case["steps"]) > 1
    if len(chain) == 1 or begins or case.get("both"):
        return {"tiers": [[f"{provider}/{model}"] for provider in chain]}
    which = (list(TABLE["cases"]).index(name) + place + number) % len(TABLE["faults"])
    fault = TABLE["faults"][which]
    hold = {"hold": fault["hold"]} if "hold" in fault else {}
    return hold | {"tiers": [[f"{chain[0]}/fault.{which}"], [f"{chain[1]}/{model}"]]}
