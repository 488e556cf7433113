"""Documents as conversations: what the model is trained on, in the shapes a CRM or a lawyer's tool would send."""

from __future__ import annotations

from random import Random

Message = dict[str, str]

SYSTEM = {
    "en": "You are the assistant of a legal department. Answer briefly and precisely.",
    "de": "Du bist der Assistent einer Rechtsabteilung. Antworte kurz und genau.",
    "fr": "Vous êtes l'assistant d'un service juridique. Répondez brièvement et précisément.",
}
_RECORD = {"en": "Record: {} Task: {}", "de": "Datensatz: {} Aufgabe: {}", "fr": "Fiche : {} Tâche : {}"}


def conversation(document: dict[str, str], rng: Random) -> list[Message]:
    """One conversation about a document: the bare question, under a system message, after a record's title, or after the whole text."""
    language, shape = document["language"], rng.random()
    question, messages = document["question"], []
    if rng.random() < 0.35:
        messages.append({"role": "system", "content": SYSTEM[language]})
    if shape < 0.25:
        question = _RECORD[language].format(document["title"] + ".", question)
    elif shape < 0.32:
        question = document["document"] + "\n\n" + question
    messages.append({"role": "user", "content": question})
    messages.append({"role": "assistant", "content": document["answer"]})
    return messages
