//! The style sheet, the script and the icon. They are part of the program, so no page needs anything else.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};

const STYLE: &str = include_str!("../../assets/style.css");
const SCRIPT: &str = include_str!("../../assets/live.js");
const ICON: &str = include_str!("../../assets/icon.svg");

/// A hash that is part of their addresses, so that browsers may keep them permanently.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = holdfast_catalog::hash::sha256([STYLE, SCRIPT, ICON].concat().as_bytes());
    hash.truncate(12);
    hash
});

/// The version of the assets.
pub fn version() -> &'static str {
    &VERSION
}

/// Serves one of the assets.
pub async fn show(name: web::Path<String>) -> HttpResponse {
    let (kind, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "live.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        // No page refers to any other.
        _ => return HttpResponse::NotFound().finish(),
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(text)
}
