# ruff: noqa: E501 -- each example stands on one line
"""Rules about declarative metadata; see :mod:`curtilage.scan.rules`."""

from __future__ import annotations

from curtilage.scan.model import Severity
from curtilage.scan.rule import Rule, meta

_NC = "namedCredentials/Model.namedCredential-meta.xml"
_OPENAI_SITE = meta(
    "RemoteSiteSetting", "    <disableProtocolSecurity>false</disableProtocolSecurity>\n    <isActive>true</isActive>\n    <url>https://api.openai.com</url>"
)  # fmt: skip

METADATA_RULES: tuple[Rule, ...] = (
    Rule(
        "SF001", "remote-site", "A remote site setting lets Apex call a host", Severity.LOW,
        "Apex may call any path of the host from any class. High when the host is an AI service, medium when protocol security is off.",
        "Delete the setting, or replace it by a named credential to the gateway.",
        (("remoteSiteSettings/OpenAI.remoteSite-meta.xml", _OPENAI_SITE),),
        (("corsWhitelistOrigins/Portal.corsWhitelistOrigin-meta.xml", meta("CorsWhitelistOrigin", "    <urlPattern>https://api.openai.com</urlPattern>")),),
        "RemoteSiteSetting",
    ),
    Rule(
        "SF002", "csp-trusted-site", "A trusted site lets browser code reach a host", Severity.LOW,
        "Components running in the user's browser may send what they show to the host.",
        "Delete the site, or narrow its context and directives.",
        (("cspTrustedSites/AI.cspTrustedSite-meta.xml", meta("CspTrustedSite", "    <endpointUrl>https://api.anthropic.com</endpointUrl>\n    <isActive>true</isActive>\n    <isApplicableToConnectSrc>true</isApplicableToConnectSrc>")),),
        (("brandingSets/B.brandingSet-meta.xml", meta("BrandingSet", "    <description>https://api.anthropic.com</description>")),),
        "CspTrustedSite",
    ),
    Rule(
        "SF003", "named-credential", "A named credential points outside", Severity.LOW,
        "Whoever may use the credential can send data there. A note when it points to the gateway named by --gateway.",
        "Point it to the gateway, or delete it and the principal access that grants it.",
        ((_NC, meta("NamedCredential", "    <endpoint>https://myorg.openai.azure.com</endpoint>\n    <label>Model</label>\n    <protocol>Password</protocol>")),),
        (("authproviders/Login.authprovider-meta.xml", meta("AuthProvider", "    <friendlyName>Login</friendlyName>\n    <providerType>Google</providerType>")),),
        "NamedCredential",
    ),
    Rule(
        "SF004", "external-credential", "An external credential holds the way to authenticate outside", Severity.NOTE,
        "It sends nothing by itself; it says that the org holds a key for somebody else's service, and who may use it.",
        "Delete it with the named credentials that use it.",
        (("externalCredentials/OpenAI.externalCredential-meta.xml", meta("ExternalCredential", "    <authenticationProtocol>Custom</authenticationProtocol>\n    <label>OpenAI</label>")),),
        (("certs/Own.crt-meta.xml", meta("Certificate", "    <caSigned>false</caSigned>\n    <masterLabel>Own</masterLabel>")),),
        "ExternalCredential",
    ),
    Rule(
        "SF005", "external-service", "An external service registration turns an outside API into actions", Severity.MEDIUM,
        "Every operation becomes a Flow action and an Apex type; HTTP callouts made in Flow Builder are such registrations too.",
        "Register the gateway's schema instead, or delete the registration.",
        (
            (_NC, meta("NamedCredential", "    <endpoint>https://api.cohere.com</endpoint>\n    <label>Model</label>")),
            ("externalServiceRegistrations/Chat.externalServiceRegistration-meta.xml", meta("ExternalServiceRegistration", "    <label>Chat</label>\n    <namedCredential>Model</namedCredential>\n    <status>Complete</status>")),
        ),
        (("classes/Chat.cls-meta.xml", meta("ApexClass", "    <apiVersion>62.0</apiVersion>\n    <status>Active</status>")),),
        "ExternalServiceRegistration",
    ),
    Rule(
        "SF006", "external-data-source", "An external data source sends queries and writes outside", Severity.MEDIUM,
        "Filters of a query carry field values; writable sources carry whole rows.",
        "Replicate what is needed inside the region instead.",
        (("dataSources/Docs.dataSource-meta.xml", meta("ExternalDataSource", "    <endpoint>https://odata.example.com/v4</endpoint>\n    <label>Docs</label>\n    <type>OData4</type>")),),
        (("dataSources/None.dataSource-meta.xml", meta("ExternalDataSource", "    <label>Files only</label>\n    <type>SimpleURL</type>")),),
        "ExternalDataSource",
    ),
    Rule(
        "SF030", "flow-callout", "A flow calls an external service", Severity.MEDIUM,
        "An action made from an external service or an HTTP callout sends what the flow puts into its inputs.",
        "Replace the action by the package's 'Ask the local model' action.",
        (("flows/Sum.flow-meta.xml", meta("Flow", "    <actionCalls>\n        <name>Ask</name>\n        <actionName>Chat.createCompletion</actionName>\n        <actionType>externalService</actionType>\n    </actionCalls>\n    <status>Active</status>")),),
        (("flows/Mail.flow-meta.xml", meta("Flow", "    <actionCalls>\n        <name>Post</name>\n        <actionName>chatterPost</actionName>\n        <actionType>chatterPost</actionType>\n    </actionCalls>\n    <status>Active</status>")),),
        "Flow: actionCalls",
    ),
    Rule(
        "SF031", "flow-ai-action", "A flow runs a prompt or an agent", Severity.HIGH,
        "The platform's generative actions send the grounded prompt to the model behind them.",
        "Replace the action by the package's 'Ask the local model' action.",
        (("flows/Draft.flow-meta.xml", meta("Flow", "    <actionCalls>\n        <name>Draft</name>\n        <actionName>Case_Summary</actionName>\n        <actionType>generatePromptResponse</actionType>\n    </actionCalls>\n    <status>Active</status>")),),
        (("flows/Prompted.flow-meta.xml", meta("Flow", "    <description>generatePromptResponse</description>\n    <label>Prompted</label>\n    <status>Active</status>")),),
        "Flow: actionCalls",
    ),
    Rule(
        "SF032", "flow-apex-callout", "A flow runs an Apex action that calls out", Severity.MEDIUM,
        "The action's class holds a callout found by the Apex rules, or belongs to a package whose code cannot be read.",
        "Replace the action, or move its class to the package's service.",
        (
            ("flows/Run.flow-meta.xml", meta("Flow", "    <actionCalls>\n        <name>Run</name>\n        <actionName>Sender</actionName>\n        <actionType>apex</actionType>\n    </actionCalls>\n    <status>Active</status>")),
            ("classes/Sender.cls", "public class Sender {\n    @InvocableMethod\n    public static void run(List<Id> ids) {\n        HttpRequest req = new HttpRequest();\n        req.setEndpoint('https://hooks.example.com/in');\n        new Http().send(req);\n    }\n}\n"),
        ),
        (
            ("flows/Run.flow-meta.xml", meta("Flow", "    <actionCalls>\n        <name>Run</name>\n        <actionName>Counter</actionName>\n        <actionType>apex</actionType>\n    </actionCalls>\n    <status>Active</status>")),
            ("classes/Counter.cls", "public class Counter {\n    @InvocableMethod\n    public static void run(List<Id> ids) {\n        System.debug(ids.size());\n    }\n}\n"),
        ),
        "Flow: actionCalls, Apex",
    ),
    Rule(
        "SF040", "outbound-message", "An outbound message posts fields to an address", Severity.MEDIUM,
        "The platform itself sends the listed fields, with retries for a day, outside of any Apex.",
        "Delete the message and the rule that fires it.",
        (("workflows/Case.workflow-meta.xml", meta("Workflow", "    <outboundMessages>\n        <fullName>Send</fullName>\n        <endpointUrl>https://hooks.example.com/case</endpointUrl>\n        <fields>Id</fields>\n        <fields>Strategy_Sensitive__c</fields>\n    </outboundMessages>")),),
        (("workflows/Lead.workflow-meta.xml", meta("Workflow", "    <fieldUpdates>\n        <fullName>Set</fullName>\n        <field>Status</field>\n    </fieldUpdates>")),),
        "Workflow: outboundMessages",
    ),
    Rule(
        "SF041", "event-relay", "An event relay sends platform or change events to another cloud", Severity.MEDIUM,
        "Change events carry whole records; the relay needs no code.",
        "Stop and delete the relay.",
        (("eventRelays/Out.eventRelay-meta.xml", meta("EventRelayConfig", "    <destinationResourceName>callout:Bus</destinationResourceName>\n    <eventChannel>Case_Channel__chn</eventChannel>\n    <state>RUN</state>")),),
        (("platformEventChannels/Case.platformEventChannel-meta.xml", meta("PlatformEventChannel", "    <channelType>data</channelType>\n    <label>Case</label>")),),
        "EventRelayConfig",
    ),
    Rule(
        "SF042", "connected-app", "A connected app may read the org's data from outside", Severity.MEDIUM,
        "Its OAuth scopes let an outside program fetch records whenever a token is valid; medium with data scopes, a note without.",
        "Narrow the scopes, require admin approval, or delete it.",
        (("connectedApps/Bot.connectedApp-meta.xml", meta("ConnectedApp", "    <label>Bot</label>\n    <oauthConfig>\n        <callbackUrl>https://app.example.com/cb</callbackUrl>\n        <scopes>Api</scopes>\n        <scopes>RefreshToken</scopes>\n    </oauthConfig>")),),
        (("profiles/Admin.profile-meta.xml", meta("Profile", "    <custom>false</custom>\n    <userLicense>Salesforce</userLicense>")),),
        "ConnectedApp, ExternalClientApplication",
    ),
    Rule(
        "SF043", "prompt-template", "A prompt template sends grounded record data to a hosted model", Severity.HIGH,
        "The merge fields of a template are filled with record data and sent to the model it names.",
        "Move the prompt to the package's service; choose the model registered through the LLM Open Connector.",
        (("genAiPromptTemplates/Sum.genAiPromptTemplate-meta.xml", meta("GenAiPromptTemplate", "    <developerName>Sum</developerName>\n    <templateVersions>\n        <content>Summarise {!$Input:Case.Description}</content>\n        <primaryModel>sfdc_ai__DefaultOpenAIGPT4OmniMini</primaryModel>\n        <status>Published</status>\n    </templateVersions>")),),
        (("email/T.email-meta.xml", meta("EmailTemplate", "    <name>T</name>\n    <subject>Summarise {!Case.Description}</subject>")),),
        "GenAiPromptTemplate",
    ),
    Rule(
        "SF044", "agent", "An agent or bot runs on hosted models", Severity.HIGH,
        "Agents ground their prompts with what their actions and data libraries may read; masking does not apply to agents.",
        "Deactivate it, or bind it to the model registered through the LLM Open Connector.",
        (("bots/Help/Help.bot-meta.xml", meta("Bot", "    <label>Help</label>\n    <type>InternalCopilot</type>")),),
        (("queues/Help.queue-meta.xml", meta("Queue", "    <name>Help</name>")),),
        "Bot, GenAiPlanner, GenAiPlannerBundle, GenAiPlugin, GenAiFunction, AIApplication",
    ),
    Rule(
        "SF045", "managed-package", "An installed package's code cannot be read", Severity.LOW,
        "Managed code is hidden, so its callouts cannot be told. Calls into its namespace are found where they stand.",
        "Ask the publisher for the package's endpoints; compare with the remote sites and named credentials it installs.",
        (("installedPackages/acme_ai.installedPackage-meta.xml", meta("InstalledPackage", "    <versionNumber>3.1</versionNumber>")),),
        (("applications/Acme.app-meta.xml", meta("CustomApplication", "    <label>acme_ai</label>")),),
        "InstalledPackage, Apex",
    ),
    Rule(
        "SF046", "link-with-data", "A button or link carries record data to an outside address", Severity.LOW,
        "Merge fields in the address of a web link leave with the click, and stay in the other side's logs.",
        "Drop the merge fields, or link inside.",
        (("objects/Case/webLinks/Look.webLink-meta.xml", meta("WebLink", "    <fullName>Look</fullName>\n    <linkType>url</linkType>\n    <url>https://search.example.com/?q={!Case.Subject}</url>")),),
        (("objects/Case/webLinks/Help.webLink-meta.xml", meta("WebLink", "    <fullName>Help</fullName>\n    <linkType>url</linkType>\n    <url>https://help.example.com/</url>")),),
        "WebLink, CustomObject: webLinks",
    ),
    Rule(
        "SF047", "ai-platform-setting", "The platform's own generative features are switched on", Severity.LOW,
        "With the setting on, standard features may send record data to hosted models without any metadata of their own.",
        "Switch it off, or route its models through the LLM Open Connector.",
        (("settings/EinsteinGpt.settings-meta.xml", meta("EinsteinGptSettings", "    <enableEinsteinGptPlatform>true</enableEinsteinGptPlatform>")),),
        (("settings/EinsteinGpt.settings-meta.xml", meta("EinsteinGptSettings", "    <enableEinsteinGptPlatform>false</enableEinsteinGptPlatform>")),),
        "EinsteinGptSettings and other AI settings",
    ),
    Rule(
        "SF090", "not-read", "A file could not be read to the end", Severity.MEDIUM,
        "Broken Apex is read as far as it goes; broken XML, binary content and oversized files are not. What was not read may hold anything.",
        "Repair or exclude the file.",
        (("flows/Broken.flow-meta.xml", "<Flow><actionCalls></Flow>"),),
        (("flows/Fine.flow-meta.xml", meta("Flow", "    <label>Fine</label>")),),
        "every file",
    ),
    Rule(
        "SF091", "suppression-without-reason", "A suppression gives no reason or names no rule", Severity.LOW,
        "Write `curtilage:ignore SF011 because REASON` in a comment on the line or the line before. Without a reason it is not honoured.",
        "Add the reason, or remove the comment.",
        (("classes/Quiet.cls", "public class Quiet {\n    // curtilage:ignore SF010\n    void f() {}\n}\n"),),
        (("classes/Loud.cls", "public class Loud {\n    String s = 'curtilage:ignore SF010';\n}\n"),),
        "comments",
    ),
)  # fmt: skip
