//! The description of the API as OpenAPI, made from the views themselves.

use actix_web::HttpResponse;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::page_request::PageRequest;
use super::{audit, commits, filter, node, nodes, overview, report, report_query};

/// Shows the description.
pub async fn show(_asked: PageRequest) -> HttpResponse {
    HttpResponse::Ok().json(describe())
}

/// The routes below `/api`, with the schemas of their answers.
pub fn describe() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let get = |summary: &str, parameters: Vec<Value>, schema: Value| {
        json!({ "get": {
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "200": { "description": summary, "content": { "application/json": { "schema": schema } } },
                "401": { "description": "Not logged in." },
                "404": { "description": "It does not exist, or you may not see it." },
            },
        }})
    };
    let filter = schemas.root_schema_for::<filter::Filter>().to_value();
    let part = schemas.root_schema_for::<report_query::ReportQuery>().to_value();
    let which = schemas.root_schema_for::<commits::CommitsQuery>().to_value();
    let of_audit = schemas.root_schema_for::<audit::AuditQuery>().to_value();
    let run = || vec![in_path("report")].into_iter().chain(queries(&part));
    let (of_run, of_node) = (run().collect(), std::iter::once(in_path("node")).chain(run()).collect());
    let paths = json!({
        "/api/v1/overview":
            get("The overview", vec![], schemas.subschema_for::<overview::Overview>().to_value()),
        "/api/v1/nodes": get("Nodes", queries(&filter), schemas.subschema_for::<nodes::Nodes>().to_value()),
        "/api/v1/nodes/{node}":
            get("A node", vec![in_path("node")], schemas.subschema_for::<node::NodePage>().to_value()),
        "/api/v1/nodes/{node}/reports/{report}":
            get("A run of a node", of_node, schemas.subschema_for::<report::ReportPage>().to_value()),
        "/api/v1/reports/{report}":
            get("A run", of_run, schemas.subschema_for::<report::ReportPage>().to_value()),
        "/api/v1/commits": get("Commits", queries(&which), schemas.subschema_for::<commits::Commits>().to_value()),
        "/api/v1/audit": get("The audit log", queries(&of_audit), schemas.subschema_for::<audit::Audit>().to_value()),
        "/api/v1/commits/{commit}":
            get("A commit", vec![in_path("commit")], schemas.subschema_for::<commits::CommitPage>().to_value()),
    });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Holdfast", "version": env!("CARGO_PKG_VERSION") },
        "security": [{ "session": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": { "session": { "type": "apiKey", "in": "cookie", "name": "__Host-holdfast" } },
        },
    })
}

fn in_path(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}

/// The fields of a filter as query parameters.
fn queries(filter: &Value) -> Vec<Value> {
    let fields = filter["properties"].as_object().cloned().unwrap_or_default();
    fields
        .into_iter()
        .map(|(name, schema)| json!({ "name": name, "in": "query", "schema": schema }))
        .collect()
}
