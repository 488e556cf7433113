# ruff: noqa: E501, S608 -- each example stands on one line, and the queries in them are never run
"""Rules about Apex; see :mod:`curtilage.scan.rules`."""

from __future__ import annotations

from curtilage.scan.model import Severity
from curtilage.scan.rule import Rule, apex

_SEND = "        HttpResponse res = new Http().send(req);"


def _call(endpoint: str, more: str = "", before: str = "") -> str:
    lines = ["    void run(Id recordId) {", before, "        HttpRequest req = new HttpRequest();", f"        req.setEndpoint({endpoint});", more, _SEND, "    }"]  # fmt: skip
    return "\n".join(line for line in lines if line)


APEX_RULES: tuple[Rule, ...] = (
    Rule(
        "SF010", "apex-callout", "Apex calls an outside address", Severity.MEDIUM,
        "The endpoint is resolved through constants, concatenation, formats, labels, custom metadata, settings, named credentials, other "
        "classes and callers.",
        "Remove the call, or send it through the package's service to the gateway.",
        (apex("Weather", _call("'https://api.weather.example/' + recordId")),),
        (apex("OwnOrg", _call("URL.getOrgDomainUrl().toExternalForm() + '/services/data/v62.0/limits'")),),
        "HttpRequest.setEndpoint",
    ),
    Rule(
        "SF011", "apex-ai-callout", "Apex calls an AI service", Severity.HIGH,
        "As apex-callout, with an endpoint that belongs to an AI service by its host or speaks such a service's dialect by its path.",
        "Replace it by `curtilage.LocalModel`; docs/salesforce.md lists the replacement for each usual connector.",
        (apex("Ask", "    private static final String HOST = 'api.openai.com';\n" + _call("'https://' + HOST + '/v1/chat/completions'")),),
        (apex("Talk", "    // https://api.openai.com/v1/chat/completions\n    String note = 'https://api.openai.com/v1/chat/completions';"),),
        "HttpRequest.setEndpoint",
    ),
    Rule(
        "SF012", "apex-callout-unresolved", "Apex calls an address that could not be told", Severity.MEDIUM,
        "The endpoint comes from data, from outside the scan, or from code the scanner does not follow. It may be anything; high when names "
        "speak for AI.",
        "Use a named credential to the gateway, so that the address is metadata.",
        (apex("Free", _call("target", before="        String target = [SELECT Website FROM Account WHERE Id = :recordId].Website;")),),
        (apex("Fixed", _call("'https://fixed.example.com'")),),
        "HttpRequest.setEndpoint",
    ),
    Rule(
        "SF013", "apex-soap-callout", "Apex calls a SOAP service", Severity.MEDIUM,
        "Classes made from a WSDL send through `WebServiceCallout.invoke`; the address is usually a field named endpoint_x.",
        "Remove the stub, or send through the gateway.",
        (apex("Stub", "    public String endpoint_x = 'https://soap.example.com/service';\n    public void send(Object request_x, Map<String, Object> response_map_x) {\n        WebServiceCallout.invoke(this, request_x, response_map_x, new String[]{ endpoint_x, 'urn:a', 'ns', 'op', 'ns', 'res', 'T' });\n    }"),),
        (apex("Unused", "    public String endpoint_x = 'https://soap.example.com/service';"),),
        "WebServiceCallout.invoke",
    ),
    Rule(
        "SF014", "apex-get-content", "Apex fetches a page from outside", Severity.MEDIUM,
        "`PageReference.getContent()` is a request to any address; what stands in the query string leaves.",
        "Use pages of the org only.",
        (apex("Fetch", "    Blob run(String q) {\n        return new PageReference('https://render.example.com/?q=' + q).getContent();\n    }"),),
        (apex("Render", "    Blob run() {\n        PageReference page = Page.Invoice;\n        return page.getContentAsPDF();\n    }"),),
        "PageReference.getContent, getContentAsPDF",
    ),
    Rule(
        "SF015", "apex-platform-ai", "Apex uses the platform's hosted models", Severity.HIGH,
        "The Models API and the Connect API's Einstein classes send prompts to hosted models without an endpoint in the code.",
        "Replace it by `curtilage.LocalModel`, or bind the model alias to the LLM Open Connector.",
        (apex("Generate", "    void run(String prompt) {\n        aiplatform.ModelsAPI api = new aiplatform.ModelsAPI();\n        ConnectApi.EinsteinLLM.generateMessagesForPromptTemplate('Sum', new ConnectApi.EinsteinPromptTemplateGenerationsInput());\n    }"),),
        (apex("Feed", "    void run(Id parent) {\n        ConnectApi.ChatterFeeds.postFeedElement(null, parent, ConnectApi.FeedElementType.FeedItem, 'hello');\n    }"),),
        "aiplatform, ConnectApi.Einstein*",
    ),
    Rule(
        "SF016", "record-graph-sent", "A whole record reaches a call out", Severity.HIGH,
        "A record is serialised or sent as such, so every queried field goes along, now and when somebody adds one to the query. Critical "
        "towards an AI service.",
        "Send an explicit map of allow-listed fields, or use the package's service, which reads the allow-list.",
        (apex("Sync", _call("'https://sync.example.com'", "        req.setBody(JSON.serialize([SELECT Id, Name FROM Account WHERE Id = :recordId]));")),),
        (apex("One", _call("'https://sync.example.com'", "        req.setBody(a.Name);", "        Account a = [SELECT Id, Name FROM Account WHERE Id = :recordId];")),),
        "JSON.serialize, String.valueOf, setBody",
    ),
    Rule(
        "SF017", "sensitive-field-sent", "A sensitive field reaches a call out", Severity.HIGH,
        "The field is classified, in a compliance group, encrypted, matches a gateway field rule, or is named like personal data.",
        "Take it out of what is sent.",
        (apex("Leak", _call("'https://sync.example.com'", "        req.setBody(a.Passport_Number__c);", "        Contact a = [SELECT Passport_Number__c FROM Contact WHERE Id = :recordId];")),),
        (apex("Check", _call("'https://sync.example.com'", "        req.setBody(String.valueOf(a.Passport_Number__c == null));", "        Contact a = [SELECT Passport_Number__c FROM Contact WHERE Id = :recordId];")),),
        "SOQL, field references",
    ),
    Rule(
        "SF018", "wildcard-query-sent", "A query for all fields reaches a call out", Severity.HIGH,
        "`FIELDS(ALL)`, `FIELDS(CUSTOM)`, `FIELDS(STANDARD)` and field lists made from the schema take every field, also those added later.",
        "Name the fields.",
        (apex("All", _call("'https://sync.example.com'", "        req.setBody(JSON.serialize(rows));", "        List<Case> rows = [SELECT FIELDS(ALL) FROM Case WHERE Id = :recordId LIMIT 200];")),),
        (apex("Some", "    List<Case> run() {\n        return [SELECT FIELDS(ALL) FROM Case LIMIT 200];\n    }\n" + _call("'https://sync.example.com'", "        req.setBody('ping');")),),
        "SOQL, Database.query",
    ),
    Rule(
        "SF019", "credential-in-code", "A key stands in the code", Severity.HIGH,
        "A literal in an authentication header is readable by everyone who may read the class, and goes wherever the source goes.",
        "Put it into an external credential.",
        (apex("Key", _call("'https://api.example.com'", "        req.setHeader('Authorization', 'Bearer a1b2c3d4e5f6a7b8c9d0');")),),
        (apex("NoKey", _call("'https://api.example.com'", "        req.setHeader('Authorization', 'Bearer {!$Credential.Api.Token}');")),),
        "HttpRequest.setHeader",
    ),
    Rule(
        "SF020", "apex-managed-call", "Apex calls into an installed package", Severity.LOW,
        "The package's code cannot be read, so whether the call leaves the org cannot be told.",
        "Ask the publisher; replace packages that send to AI services.",
        (
            ("installedPackages/acme_ai.installedPackage-meta.xml", '<InstalledPackage xmlns="http://soap.sforce.com/2006/04/metadata"><versionNumber>1.0</versionNumber></InstalledPackage>'),
            apex("Use", "    void run(Account a) {\n        acme_ai.Client.complete(a);\n    }"),
        ),
        (apex("NotInstalled", "    void run(Account a) {\n        Helper.Client.complete(a);\n    }"),),
        "namespaced calls",
    ),
    Rule(
        "SF022", "apex-email", "Apex sends e-mail", Severity.NOTE,
        "E-mail leaves the org; its recipients and text are not followed further.",
        "Check that recipients are inside.",
        (apex("Mail", "    void run(List<Messaging.SingleEmailMessage> mails) {\n        Messaging.sendEmail(mails);\n    }"),),
        (apex("Reserve", "    void run() {\n        Messaging.reserveSingleEmailCapacity(1);\n    }"),),
        "Messaging.sendEmail",
    ),
)  # fmt: skip
