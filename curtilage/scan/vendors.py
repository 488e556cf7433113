"""AI services by host name and path.

Sources: the services' own API references (base addresses) and ``docs/architecture.md`` for what the gateway answers for. A host counts when
it is the name or ends in ``.name``; a path counts on any host, since self-hosted and proxied services speak the same dialects.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

SUSPECTED = "suspected"

HOSTS: dict[str, str] = {
    "openai.com": "OpenAI",
    "openai.azure.com": "Azure OpenAI",
    "openai.azure.us": "Azure OpenAI",
    "openai.azure.cn": "Azure OpenAI",
    "azure-api.net/openai": "Azure OpenAI",
    "services.ai.azure.com": "Azure AI Foundry",
    "models.ai.azure.com": "Azure AI",
    "inference.ml.azure.com": "Azure ML",
    "models.inference.ai.azure.com": "Azure AI",
    "models.github.ai": "GitHub Models",
    "cognitiveservices.azure.com": "Azure AI services",
    "cognitiveservices.azure.us": "Azure AI services",
    "cognitiveservices.azure.cn": "Azure AI services",
    "api.cognitive.microsoft.com": "Azure AI services",
    "api.cognitive.microsofttranslator.com": "Azure Translator",
    "anthropic.com": "Anthropic",
    "claude.ai": "Anthropic",
    "claude.com": "Anthropic",
    "claude.googleapis.com": "Anthropic",
    "generativelanguage.googleapis.com": "Google Gemini",
    "aiplatform.googleapis.com": "Google Vertex AI",
    "language.googleapis.com": "Google Natural Language",
    "documentai.googleapis.com": "Google Document AI",
    "dialogflow.googleapis.com": "Google Dialogflow",
    "speech.googleapis.com": "Google Speech",
    "vision.googleapis.com": "Google Vision",
    "translation.googleapis.com": "Google Translation",
    "translate.googleapis.com": "Google Translation",
    "cohere.ai": "Cohere",
    "cohere.com": "Cohere",
    "mistral.ai": "Mistral",
    "groq.com": "Groq",
    "together.xyz": "Together",
    "together.ai": "Together",
    "perplexity.ai": "Perplexity",
    "deepseek.com": "DeepSeek",
    "openrouter.ai": "OpenRouter",
    "x.ai": "xAI",
    "huggingface.co": "Hugging Face",
    "huggingface.cloud": "Hugging Face",
    "hf.space": "Hugging Face",
    "replicate.com": "Replicate",
    "ai21.com": "AI21",
    "fireworks.ai": "Fireworks",
    "anyscale.com": "Anyscale",
    "deepinfra.com": "DeepInfra",
    "cerebras.ai": "Cerebras",
    "sambanova.ai": "SambaNova",
    "novita.ai": "Novita",
    "nebius.ai": "Nebius",
    "nebius.com": "Nebius",
    "lepton.ai": "Lepton",
    "baseten.co": "Baseten",
    "modal.run": "Modal",
    "runpod.ai": "RunPod",
    "api.nvidia.com": "NVIDIA NIM",
    "nvcf.nvidia.com": "NVIDIA NIM",
    "dashscope.aliyuncs.com": "Alibaba Model Studio",
    "dashscope-intl.aliyuncs.com": "Alibaba Model Studio",
    "moonshot.cn": "Moonshot",
    "moonshot.ai": "Moonshot",
    "bigmodel.cn": "Zhipu",
    "z.ai": "Zhipu",
    "minimax.chat": "MiniMax",
    "minimax.io": "MiniMax",
    "volces.com": "Volcengine",
    "qianfan.baidubce.com": "Baidu Qianfan",
    "ml.cloud.ibm.com": "IBM watsonx",
    "watson.cloud.ibm.com": "IBM Watson",
    "aleph-alpha.com": "Aleph Alpha",
    "writer.com": "Writer",
    "jasper.ai": "Jasper",
    "voyageai.com": "Voyage",
    "jina.ai": "Jina",
    "stability.ai": "Stability",
    "elevenlabs.io": "ElevenLabs",
    "assemblyai.com": "AssemblyAI",
    "deepgram.com": "Deepgram",
    "deepl.com": "DeepL",
    "harvey.ai": "Harvey",
    "pinecone.io": "Pinecone",
    "portkey.ai": "Portkey",
    "helicone.ai": "Helicone",
    "langchain.com": "LangChain",
    "langfuse.com": "Langfuse",
    "gateway.ai.cloudflare.com": "Cloudflare AI Gateway",
    "ai-gateway.vercel.sh": "Vercel AI Gateway",
    "einstein.ai": "Salesforce Einstein",
    "chatgpt.com": "OpenAI",
    "llama.com": "Meta Llama",
    "reka.ai": "Reka",
    "upstage.ai": "Upstage",
    "inflection.ai": "Inflection",
    "siliconflow.cn": "SiliconFlow",
    "siliconflow.com": "SiliconFlow",
    "hyperbolic.xyz": "Hyperbolic",
    "lambda.ai": "Lambda",
    "featherless.ai": "Featherless",
    "friendli.ai": "Friendli",
    "inference.net": "Inference.net",
    "chutes.ai": "Chutes",
    "aimlapi.com": "AI/ML API",
    "scaleway.ai": "Scaleway",
    "ai.cloud.ovh.net": "OVHcloud AI",
    "hunyuan.tencentcloudapi.com": "Tencent Hunyuan",
    "stepfun.com": "StepFun",
    "baichuan-ai.com": "Baichuan",
    "lingyiwanwu.com": "01.AI",
}

_AWS = re.compile(
    r"(?:^|\.)(?:(bedrock[a-z-]*|aws-external-anthropic)|runtime(?:-fips)?\.(sagemaker)|(comprehend|comprehendmedical|textract|transcribe|rekognition|kendra|q))"
    r"(?:-fips)?\.[a-z0-9{}?*-]+\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$"
)
_VERTEX = re.compile(r"(?:^|[a-z0-9{}-]-)aiplatform(?:\.(?:us|eu)\.rep)?\.googleapis\.com$")
_PATHS = (
    (
        re.compile(r"/v\d+[a-z0-9]*/(?:chat/completions|completions|embeddings|responses|moderations|assistants|threads|rerank)(?:$|[/?#])"),
        "OpenAI-style API",
    ),
    (re.compile(r"/(?:openai/)?deployments/[^/]+/(?:chat/completions|completions|embeddings)(?:$|[/?#])"), "Azure OpenAI-style API"),
    (re.compile(r"/v1/messages(?:/(?:count_tokens|batches))?(?:$|[?#])"), "Anthropic-style API"),
    (
        re.compile(r":(?:generateContent|streamGenerateContent|embedContent|batchEmbedContents|rawPredict|streamRawPredict)\b"),
        "Gemini-style API",
    ),
    (re.compile(r"/model/[^/]+/(?:converse|invoke)(?:-stream|-with-response-stream)?(?:$|[?#])"), "Bedrock-style API"),
    (re.compile(r"/einstein/platform/v\d+/|/einstein/llm/|/ai/gpt/v\d+/"), "Salesforce Models API"),
    (re.compile(r"/serving-endpoints/[^/]+/invocations"), "Databricks model serving"),
    (re.compile(r"/api/(?:generate|chat|embeddings)$"), "Ollama-style API"),
)  # fmt: skip
# Names that speak for AI where the address is not known: whole words of an identifier, in any case.
_NAMES = re.compile(
    r"open_?ai|chat_?gpt|gpt_?[345]|anthropic|claude|gemini|vertex_?ai|bedrock|cohere|mistral|llama|hugging_?face|deep_?seek|perplexity|"
    r"(?<![a-z])llm(?![a-z])|gen_?ai(?![a-z])|einstein_?gpt|copilot|agentforce|langchain",
    re.IGNORECASE,
)


def host_of(address: str) -> str:
    """The host of an absolute address, lower case; empty when there is none."""
    try:
        return (urlsplit(address).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def vendor_of(address: str) -> str | None:
    """The AI service an address belongs to, by its host, else by its path."""
    host = host_of(address)
    labels = host.split(".")
    for start in range(len(labels)):
        if found := HOSTS.get(".".join(labels[start:])):
            return found
    if match := _AWS.search(host):
        return f"AWS {next(filter(None, match.groups()))}"
    if _VERTEX.search(host):
        return "Google Vertex AI"
    path = address.split("://", 1)[-1]
    path = path[path.find("/") :] if "/" in path else ""
    if host.endswith("azure-api.net") and path.startswith("/openai"):
        return "Azure OpenAI"
    return next((name for pattern, name in _PATHS if pattern.search(path)), None)


def suspected(*names: str) -> str | None:
    """``suspected`` when an identifier speaks for AI though no address does."""
    return SUSPECTED if any(_NAMES.search(name) for name in names) else None
