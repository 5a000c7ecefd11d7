"""Secrets: private keys, tokens of vendors, credentials in headers, commands, addresses and assignments.

The forms are those that vendors document for their own tokens. A token whose characters hardly vary (`xxxx…`) is a placeholder, not a secret.
"""

from __future__ import annotations

import re

from . import validate as check
from .model import LABEL_GAP, Recognizer

__all__ = ["RECOGNIZERS"]

_B = r"(?<![0-9A-Za-z])"
_E = r"(?![0-9A-Za-z])"
_PLACEHOLDER = re.compile(
    r"(?i)^(?:\*+|\.+|x+|<.*>|\[.*\]|\{.*\}|\$.*|%.*%|your[a-z _.-]*|my[a-z _.-]*|example[a-z _.-]*|changeme|test|pass(?:word)?|token|secret|user(?:name)?|null|none|true|false|placeholder|xxx.*|yyy.*|todo|redacted|undefined|env|here)$"
)  # fmt: skip


_ALPHABET = re.compile("abcdefghijklmnop|0123456789012|qwertyuiopasd")


def _varied(least: float) -> object:
    """A check that the last run of token characters carries at least so many bits per character."""

    def enough(value: str) -> bool:
        tail = re.split(r"[^0-9A-Za-z+/_~.-]", value)[-1] or value
        return check.entropy(tail) >= least and not _ALPHABET.search(tail.lower())

    return enough


def _random(value: str) -> bool:
    return check.entropy(value) >= 3.0


def _mixed(value: str) -> bool:
    return check.entropy(value) >= 3.2 and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def _slack(value: str) -> bool:
    return any(c.isdigit() for c in value) and check.entropy(value.split("-", 2)[-1]) >= 2.6


def _vault(value: str) -> bool:
    body = value.split(".", 1)[1]
    return any(c.isdigit() for c in body) and any(c.isupper() for c in body) and check.entropy(body) >= 3.4


def _credential(value: str) -> bool:
    """A password, token or key that is a value, not a variable, a placeholder or a word for one."""
    body = value.strip("\"'` \t")
    if len(body) < 4 or _PLACEHOLDER.match(body):
        return False
    if body[0] in "$<{%[(" or "${" in body or "{{" in body or "$(" in body or len(set(body)) < 4:
        return False
    return not re.fullmatch(r"[A-Z_]+|\.{2,}|[a-z]+(?:[_-](?:key|token|secret|password|id))+", body)


def _userpass(value: str) -> bool:
    """`user:password` in which both, or the half that is there, are values."""
    if value[:1] == "<" and value[-1:] == ">":
        return False
    user, _, password = value.strip("\"'").partition(":")
    user, password = user.strip("\"'"), password.strip("\"'")
    if value.strip("\"'").startswith(("<", "$", "[", "%")) and not _credential(password):
        return False
    if not password:
        return _credential(user) and check.entropy(user) >= 2.8
    if user == password or {user, password} <= {
        "user",
        "pass",
        "username",
        "password",
        "token",
        "test",
        "xxx",
        "yyy",
        "admin",
    }:
        return False
    return _credential(password)


# Vendors whose tokens have rules of their own: what fails those is no token.
_KNOWN = ("xox", "hvs.", "hvb.", "ntn_", "api_org_", "sk-ant-", "AIza")


def _assigned(value: str) -> bool:
    return (
        _credential(value)
        and not value.startswith(_KNOWN)
        and check.entropy(value) >= 2.8
        and any(c.isdigit() for c in value)
        and len(value) >= 10
    )


def _password(value: str) -> bool:
    return _credential(value) and (any(not c.isalpha() for c in value) or len(value) >= 12)


def _key_block(value: str) -> bool:
    body = re.sub(r"-{5}[A-Z ]*-{0,5}", "", value)
    return len(re.sub(r"[^0-9A-Za-z+/=]", "", body)) >= 30 and check.entropy(body) >= 3.0


def _token(
    entity: str,
    name: str,
    pattern: str,
    example: str,
    source: str,
    least: float = 3.0,
    before: str = _B,
    after: str = _E,
) -> Recognizer:
    return Recognizer(
        entity=entity,
        name=name,
        category="secret",
        before=before,
        pattern=pattern,
        after=after,
        gates=(pattern.replace("(?!ant-)", ""),),
        cased=True,
        validate=_varied(least),  # type: ignore[arg-type]
        validated=f"vendor's form, at least {least:g} bits per character",
        score=0.95,
        example=example,
        source=source,
    )


_VENDORS = (
    ("aws_access_key", r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z2-7]{16}", "AKIAQYLPMN5HFIQR7XYA", "AWS", 3.0),
    ("aws_bedrock", r"ABSK[0-9A-Za-z+/]{109,200}={0,2}|bedrock-api-key-[0-9A-Za-z+/]{60,250}={0,2}", "bedrock-api-key-Ue9Ap2Lg5Jh0Fc6Zy3Ws8Rn1Bv7Tx2Qm9D4kk4D9mQ2xT7vB1nR8sW3yZ6cF0hJ5gL2pA9eUUe9Ap2Lg", "AWS Bedrock", 3.0),
    ("github_token", r"(?:ghp|gho|ghu|ghs|ghr)_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{60,90}", "ghp_k4D9mQ2xT7vB1nR8sW3yZ6cF0hJ5gL2pA9eU", "GitHub", 3.0),
    ("gitlab_token", r"gl(?:pat|dt|ptt|rt|ft|soat|imt|agent|oas|cbt)-[0-9A-Za-z_=-]{20,64}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?|GR1348941[0-9A-Za-z_-]{20}", "glpat-x7Kq2mZp9VtR4sWb1nYc", "GitLab", 3.0),
    ("slack_webhook", r"hooks\.slack\.com/(?:services|workflows|triggers)/[0-9A-Za-z+/]{40,60}", "hooks.slack.com/services/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", "Slack", 3.0),
    ("stripe_key", r"(?:sk|rk|pk)_(?:test|live|prod)_[0-9A-Za-z]{10,99}", "sk_live_4fQ8zR2mT9xK7vB1nW3yH6cJ", "Stripe", 3.0),
    ("openai_key", r"sk-(?!ant-)(?:proj-|svcacct-|admin-)?[0-9A-Za-z_-]{20,180}", "sk-proj-Zk4mT9xQ2vB7nR1sW8yL3cF6", "OpenAI", 3.5),
    ("anthropic_key", r"sk-ant-(?:api03|admin01|oat01)-[0-9A-Za-z_-]{80,110}AA", "sk-ant-api03-Ue9Ap2Lg5Jh0Fc6Zy3Ws8Rn1Bv7Tx2Qm9D4kk4D9mQ2xT7vB1nR8sW3yZ6cF0hJ5gL2pA9eUUe9Ap2Lg5Jh0Fc6Zy3Ws8AA", "Anthropic", 3.0),
    ("google_api_key", r"AIzaSy[0-9A-Za-z_-]{33}", "AIzaSyQ7mZ4kT9xV2bN8rW1sY6cL3fH5gJ0dPuE", "Google Cloud", 4.0),
    ("google_oauth", r"ya29\.[0-9A-Za-z_-]{30,250}|GOCSPX-[0-9A-Za-z_-]{28}", "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", "Google", 3.0),
    ("huggingface_token", r"hf_[A-Za-z]{34}|api_org_[A-Za-z]{34}", "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", "Hugging Face", 3.0),
    ("notion_token", r"ntn_[0-9]{11}[0-9A-Za-z]{35}|secret_[0-9A-Za-z]{43}", "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", "Notion", 3.5),
    ("sendgrid_key", r"SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}", "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", "SendGrid", 3.0),
    ("twilio_key", r"(?:SK|AC)[0-9a-f]{32}", "SK8f14e45fceea167a5a36dedd4bea2543", "Twilio", 3.0),
    ("mailchimp_key", r"[0-9a-f]{32}-us[0-9]{1,2}", "8f14e45fceea167a5a36dedd4bea2543-us12", "Mailchimp", 3.0),
    ("mailgun_key", r"key-[0-9a-f]{32}", "key-8f14e45fceea167a5a36dedd4bea2543", "Mailgun", 3.0),
    ("npm_token", r"npm_[0-9A-Za-z]{36}", "npm_k4D9mQ2xT7vB1nR8sW3yZ6cF0hJ5gL2pA9eU", "npm", 3.0),
    ("pypi_token", r"pypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{50,200}", "pypi-AgEIcHlwaS5vcmcUe9Ap2Lg5Jh0Fc6Zy3Ws8Rn1Bv7Tx2Qm9D4kk4D9mQ2xT7vB1nR8sW3yZ6cF", "PyPI", 3.0),
    ("digitalocean_token", r"do[opr]_v1_[0-9a-f]{64}", "dop_v1_8f14e45fceea167a5a36dedd4bea25438f14e45fceea167a5a36dedd4bea2543", "DigitalOcean", 3.0),
    ("grafana_token", r"glsa_[0-9A-Za-z]{32}_[0-9A-Fa-f]{8}|glc_[0-9A-Za-z+/]{32,200}", "glsa_k4D9mQ2xT7vB1nR8sW3yZ6cF0hJ5gL2p_8f14e45f", "Grafana", 3.0),
    ("shopify_token", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}", "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", "Shopify", 3.0),
    ("square_token", r"sq0[a-z]{3}-[0-9A-Za-z_-]{22,43}|EAAA[0-9A-Za-z_+/-]{56,60}", "sq0atp-k4D9mQ2xT7vB1nR8sW3yZ6", "Square", 3.0),
    ("facebook_token", r"EAA[MC][0-9A-Za-z]{100,245}", "EAAMUe9Ap2Lg5Jh0Fc6Zy3Ws8Rn1Bv7Tx2Qm9D4kk4D9mQ2xT7vB1nR8sW3yZ6cF0hJ5gL2pA9eUUe9Ap2Lg5Jh0Fc6Zy3Ws8Rn1Bv7Tx2Qm9D4kk4", "Meta", 4.0),
    ("azure_client_secret", r"[0-9A-Za-z_~.-]{3}[0-9]Q~[0-9A-Za-z_~.-]{31,34}", "bP88Q~k4D9mQ2xT7vB1nR8sW3yZ6cF0hJ5gL2p", "Microsoft Entra", 3.0),
    ("azure_storage_key", r"AccountKey=[0-9A-Za-z+/]{86}==", "AccountKey=Ue9Ap2Lg5Jh0Fc6Zy3Ws8Rn1Bv7Tx2Qm9D4kk4D9mQ2xT7vB1nR8sW3yZ6cF0hJ5gL2pA9eUUe9Ap2Lg5Jh0Fc==", "Azure Storage", 3.0),
    ("octopus_key", r"API-[A-Z0-9]{26}", "API-K4D9MQ2XT7VB1NR8SW3YZ6CF0H", "Octopus Deploy", 3.0),
    ("intra42_secret", r"s-s4t2(?:ud|af)-[0-9a-f]{64}", "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", "42 Intra", 3.0),
    ("telegram_token", r"[0-9]{8,10}:AA[0-9A-Za-z_-]{33}", "5839204716:AAk4D9mQ2xT7vB1nR8sW3yZ6cF0hJ5gL2pA", "Telegram", 3.0),
    ("databricks_token", r"dapi[0-9a-f]{32}(?:-[0-9])?", "dapi8f14e45fceea167a5a36dedd4bea2543", "Databricks", 3.0),
    ("linear_key", r"lin_api_[0-9A-Za-z]{40}", "lin_api_k4D9mQ2xT7vB1nR8sW3yZ6cF0hJ5gL2pA9eUk4D9", "Linear", 3.0),
    ("groq_key", r"gsk_[0-9A-Za-z]{52}|pplx-[0-9A-Za-z]{48}|xai-[0-9A-Za-z]{70,84}", "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", "inference vendors", 3.0),
    ("alibaba_key", r"LTAI[0-9A-Za-z]{12,24}", "LTAI5tQ2xT7vB1nR8sW3yZ6c", "Alibaba Cloud", 3.0),
    ("tencent_key", r"AKID[0-9A-Za-z]{32}", "AKIDk4D9mQ2xT7vB1nR8sW3yZ6cF0hJ5gL2p", "Tencent Cloud", 3.0),
    ("age_key", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}", "AGE-SECRET-KEY-1QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCE", "age", 3.0),
)  # fmt: skip

_JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI4MTQ3IiwiYWRtIjp0cnVlfQ.k4D9mQ2xT7vB1nR8sW3yZ6cF0hJ5gL2pA9eUk4D9mQ2"
_NAME = r"(?:[0-9A-Za-z_.-]{0,30}(?:api[_-]?key|apikey|access[_-]?key|secret|token|auth[_-]?key|private[_-]?key|credential|client[_-]?secret)[0-9A-Za-z_.-]{0,20}|密钥|秘钥|令牌)"
_OP = r"[\"'`]{0,2}[ \t]{0,8}(?:[:=]|:=|=>|是|为)[ \t]{0,8}\\?[\"'`]{0,2}"

RECOGNIZERS = (
    *(_token("SECRET", name, pattern, example, source, least) for name, pattern, example, source, least in _VENDORS),
    Recognizer(
        entity="SECRET",
        name="slack_token",
        category="secret",
        before=_B,
        pattern=r"xox[abposre]-(?:[0-9]{6,14}-){1,4}[0-9A-Za-z]{10,64}|xox[or]-[0-9A-Za-z-]{24,70}|xoxe(?:\.xox[bp])?-1-[0-9A-Za-z]{140,250}|xapp-1-[0-9A-Z]{8,14}-[0-9]{8,16}-[0-9a-f]{60,70}",
        after=_E,
        cased=True,
        validate=_slack,
        validated="vendor's form, varied",
        score=0.95,
        example="xoxb-283316862324-298911817009-k4D9mQ2xT7vB1nR8sW3yZ6cF",
        source="Slack",
    ),
    Recognizer(
        entity="SECRET",
        name="vault_token",
        category="secret",
        before=_B,
        pattern=r"hvs\.[0-9A-Za-z_-]{90,120}|s\.[0-9A-Za-z]{24}|hvb\.[0-9A-Za-z_-]{138,200}",
        after=_E,
        cased=True,
        validate=_vault,
        validated="vendor's form, varied",
        score=0.9,
        example="s.k4D9mQ2xT7vB1nR8sW3yZ6cF",
        source="HashiCorp Vault",
    ),
    Recognizer(
        entity="SECRET",
        name="jwt",
        category="secret",
        before=r"(?<![0-9A-Za-z])",
        pattern=r"eyJ[0-9A-Za-z_-]{7,250}(?:\.[0-9A-Za-z_-]{0,250}){1,2}={0,2}|eyJ[0-9A-Za-z_-]{200}",
        gates=(r"eyJ[0-9A-Za-z_-]{7}",),
        after="",
        cased=True,
        validate=lambda value: len(value) > 30 and check.entropy(value) >= 3.0,
        validated="base64url header",
        score=0.95,
        open_end=r"[0-9A-Za-z_.=-]",
        example=_JWT,
        source="RFC 7519",
    ),
    Recognizer(
        entity="PRIVATE_KEY",
        name="private_key",
        category="secret",
        before="",
        pattern=r"-----BEGIN[ A-Z0-9]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:[0-9A-Za-z+/=\s\\:,.()]|-(?!--)){30,120}",
        gates=(r"-----BEGIN[ A-Z0-9]{0,30}PRIVATE KEY(?: BLOCK)?-----",),
        after="",
        cased=True,
        validate=_key_block,
        validated="PEM frame with a body",
        score=1.0,
        open_end=r"[0-9A-Za-z+/=\s\\:,]|-(?!--)",
        example="-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDAC4AWkdwKYSd8\n-----END PRIVATE KEY-----",
        source="RFC 7468",
    ),
    Recognizer(
        entity="SECRET",
        name="service_account",
        category="secret",
        before="",
        pattern=r"\"type\"[ \t]?:[ \t]?\"service_account\"",
        after="",
        score=0.6,
        example='"type": "service_account"',
        source="Google Cloud key file",
    ),
    Recognizer(
        entity="SECRET",
        name="connection_string",
        category="secret",
        before=r"(?<![0-9A-Za-z])",
        pattern=r"[a-z][a-z0-9+.-]{1,24}://[^\s:/@\"'<>]{0,64}:(?P<v>[^\s@\"'<>]{1,128})@[0-9A-Za-z\[]",
        gates=(r"://[^\s:/@\"'<>]{0,64}:",),
        after="",
        validate=_credential,
        validated="a value, not a variable",
        score=0.98,
        example="postgres://app:k4D9mQ2xT7@db.example.org/app",
        source="RFC 3986 userinfo",
    ),
    Recognizer(
        entity="SECRET",
        name="authorization_header",
        category="secret",
        before=r"(?<![A-Za-z])",
        pattern=r"(?:authorization|proxy-authorization)[\"']?[ \t]?:[ \t]{0,3}[\"']?(?:(?:basic|bearer|token|api-token|apikey|digest|key)[ \t]{1,2})?(?P<v>[0-9A-Za-z+/=_.~@!-]{8,250})",
        gates=(r"authorization[\"']?[ \t]?:",),
        after="",
        validate=lambda value: (
            _credential(value)
            and (_random(value) or value.endswith("="))
            and (any(c.isdigit() for c in value) or len(value) > 20 or "=" in value)
        ),
        validated="a varied value, not a variable",
        score=0.9,
        open_end=r"[0-9A-Za-z+/=_.~-]",
        example="Authorization: Bearer k4D9mQ2xT7vB1nR8sW3yZ6cF",
        source="RFC 9110",
    ),
    Recognizer(
        entity="SECRET",
        name="api_header",
        category="secret",
        before=r"(?<![0-9A-Za-z])",
        pattern=r"(?:x-)?(?:[a-z]{2,16}-)?(?:api-?key|api-?token|auth-?token|access-?token|token|api_?key)[\"']?[ \t]?:[ \t]{1,3}(?P<v>[0-9A-Za-z+/=_.~-]{10,200})(?=[\"'\s]|$)",
        gates=(r"(?:key|token)[\"']?[ \t]?:[ \t]",),
        after="",
        validate=_assigned,
        validated="a varied value, not a variable",
        score=0.8,
        example="X-Api-Key: c4ed6c219dd54a05",
        source="HTTP headers in use",
    ),
    Recognizer(
        entity="SECRET",
        name="command_credentials",
        category="secret",
        before=r"(?<=[\s])",
        pattern=r"(?:-u|--user)[ \t=]{1,3}(?P<v>\"[^\"\n]{0,80}\"(?::\"[^\"\n]{1,80}\")?|'[^'\n]{1,80}'|[^\s\"']{1,60}(?:'[^'\n]{1,60}')?)",
        gates=(r"(?:-u|--user)[ \t=]",),
        after=r"(?![0-9A-Za-z])",
        validate=lambda value: ":" in value and _userpass(value),
        validated="user and password are values",
        score=0.85,
        example="curl -u elastic:P4ssw0rd.91 https://localhost:9200",
        source="curl(1)",
    ),
    Recognizer(
        entity="SECRET",
        name="assignment",
        category="secret",
        before=r"(?<![0-9A-Za-z])",
        pattern=rf"{_NAME}{_OP}(?P<v>[0-9A-Za-z+/=_.~!@\#$%^&*-]{{10,200}})(?<![.,])",
        gates=(
            r"(?:key|secret|token|credential|密钥|秘钥|令牌)[0-9A-Za-z_.-]{0,20}[\"'`]{0,2}[ \t]{0,8}(?:[:=]|是|为)",
        ),
        after=r"(?![0-9A-Za-z])",
        validate=_assigned,
        validated="at least 3 bits per character, digits, not a variable",
        score=0.7,
        example="API_KEY=k4D9mQ2xT7vB1nR8",
        source="assignments in configuration and code",
    ),
    Recognizer(
        entity="PASSWORD",
        name="password",
        category="secret",
        before=r"(?<![A-Za-z])",
        pattern=r"(?-i:[pP密口])(?:ass(?:word|wd|phrase|code)?|wd|码|令)"
        rf"(?:{LABEL_GAP}|[ \t](?:is|was)[ \t]{{1,4}}[\"'`]?)"
        r"(?P<v>[\x21\x23-\x26\x28-\x2B\x2D\x2E\x30-\x3A\x3D\x3F-\x5F\x61-\x7E]{5,64})",
        gates=(r"(?:pass|pwd|密码|口令)",),
        after=r"",
        validate=_password,
        validated="a value, not a word or variable",
        score=0.75,
        example="password: tR4v!lant9",
        source="password words",
    ),
)
