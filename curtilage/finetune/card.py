"""A model card filled from the run: nothing in it is typed by hand but what no run can know."""

from __future__ import annotations

from typing import Any


def model_card(name: str, record: dict[str, Any]) -> dict[str, Any]:
    """The card as data."""
    recipe = record["recipe"]
    return {
        "name": name,
        "architecture": "MistralForCausalLM",
        "parameters": record["parameters"],
        "context": recipe["context"],
        "dtype": "bfloat16",
        "licence": "Apache-2.0",
        "training": {
            "data": record["data"],
            "documents": record["documents"],
            "tokens_seen": record["tokens_seen"],
            "seed": recipe["seed"],
            "steps": recipe["steps"],
            "code": record["code"],
            "libraries": record["libraries"],
            "clearance": record["clearance"],
            "network": f"namespace of its own, interfaces: {', '.join(record['isolation']['interfaces'])}",
            "trace": record["trace"],
        },
        "evaluation": {
            "held_back_documents": record["held_back_documents"],
            "held_back_loss": record["held_back_loss"],
            "base": "the same network before training",
            "base_loss": record["base_loss"],
        },
        "memorisation": record["memorisation"],
        "intended_use": "shows that a sealed region serves a model of its own; answers are not legal advice",
        "limits": "a few million parameters trained for about a minute on synthetic documents: wording without understanding",
    }


def model_card_text(card: dict[str, Any]) -> str:
    """The card for people."""
    training, evaluation, memorisation = card["training"], card["evaluation"], card["memorisation"]
    bits = ", ".join(str(canary["exposure_bits"]) for canary in memorisation.get("canaries", []))
    exposure = f"; exposure of each canary {bits} of {memorisation['bits_at_most']} bits" if bits else ""
    return (
        f"# {card['name']}\n\n{card['architecture']}, {card['parameters'] / 1e6:.1f} million parameters, context {card['context']}, "
        f"{card['dtype']}, {card['licence']}.\n\n"
        f"* trained from nothing on {training['documents']} synthetic documents (`{training['data']}`), {training['tokens_seen']} tokens, "
        f"{training['steps']} steps, seed {training['seed']}\n"
        f"* network while training: {training['network']}; trace of its calls: {training['trace']['verdict']}\n"
        f"* corpus cleared by: {training['clearance']['kind']}\n"
        f"* loss on {evaluation['held_back_documents']} held-back documents: {evaluation['held_back_loss']}; base ({evaluation['base']}): "
        f"{evaluation['base_loss']}\n"
        f"* memorisation: {memorisation['verdict']}{exposure}\n"
        f"* use: {card['intended_use']}\n* limits: {card['limits']}\n"
    )
