"""Secrets: keys and tokens of the kinds that people paste by mistake. They are removed for good, whatever the matter allows."""

from __future__ import annotations

from curtilage.sanitize.checks import password
from curtilage.sanitize.patterns import SECRET, Row

_KEYWORD = (
    r"pass(?:word|wd|phrase|wort)|passwort|kennwort|mot de passe|contraseña|parola d'ordine|pwd|api[ _\-]?key|apikey|secret(?:[ _\-]?key)?"
    r"|access[ _\-]?(?:key|token)|auth[ _\-]?token|client[ _\-]?secret|private[ _\-]?key|token"
)
ROWS: tuple[Row, ...] = (
    (
        SECRET,
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[A-Za-z0-9+/=\s\\:,.\-]*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\]*)",
        None,
    ),
    (SECRET, r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b", None),  # AWS
    (SECRET, r"\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{22,}|\bglpat-[A-Za-z0-9_\-]{20,}", None),
    (SECRET, r"\bxox[abeoprs]-[A-Za-z0-9\-]{10,}|\bxapp-[A-Za-z0-9\-]{10,}", None),  # Slack
    (
        SECRET,
        r"\bsk-[A-Za-z0-9_\-]{20,}|\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9+/=]{24,}",
        None,
    ),  # OpenAI, Anthropic, Stripe
    (SECRET, r"\bAIza[0-9A-Za-z_\-]{35}\b|\bya29\.[0-9A-Za-z_\-]{20,}|\bGOCSPX-[0-9A-Za-z_\-]{20,}", None),  # Google
    (SECRET, r"\bhf_[A-Za-z0-9]{30,}\b|\bnpm_[A-Za-z0-9]{36}\b|\bpypi-[A-Za-z0-9_\-]{50,}|\bdop_v1_[0-9a-f]{64}\b", None),
    (SECRET, r"\bSG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}|\bhv[sb]\.[A-Za-z0-9_\-]{20,}", None),  # SendGrid, Vault
    (SECRET, r"\b00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{20,}", None),  # a Salesforce session
    (SECRET, r"\bct-[0-9a-f]{12}-[A-Za-z0-9_\-]{43}", None),  # this product's own
    (SECRET, r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*", None),  # a JSON web token
    (SECRET, r"(?i:\bAuthorization\s*[:=]\s*(?:Bearer|Basic)|\bBearer)\s+([A-Za-z0-9._~+/\-]{16,}=*)", None),
    (
        SECRET,
        r"(?i)\b[a-z][a-z0-9+.\-]{1,20}://[^\s/:@\"'<>]{0,128}:[^\s/@\"'<>]{1,128}@[^\s\"'<>]{1,255}",
        None,
    ),  # a URL with a password in it
    (SECRET, r"(?i)[?&](?:access_token|api_?key|token|secret|sig|signature|password)=([^&\s\"'<>]{8,})", None),
    (SECRET, r"(?i:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,}={0,2})", None),  # Azure connection strings
    (SECRET, rf"(?i:\b(?:{_KEYWORD})(?:\"|')?\s*(?:is|ist|lautet|est|es|è|:|=|:=)\s*[\"'`]?)([^\s\"'`,;]{{6,128}})", password),
)
