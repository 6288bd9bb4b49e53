//! The style, the script and the icon: in the program, so that no page needs anything else.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};

const STYLE: &str = include_str!("../../assets/style.css");
const SCRIPT: &str = include_str!("../../assets/live.js");
const ICON: &str = include_str!("../../assets/icon.svg");

/// Part of their addresses, so that browsers may keep them permanently.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = holdfast_catalog::hash::sha256([STYLE, SCRIPT, ICON].concat().as_bytes());
    hash.truncate(12);
    hash
});

/// The version of all of them.
pub fn version() -> &'static str {
    &VERSION
}

/// One of them.
pub async fn show(name: web::Path<String>) -> HttpResponse {
    let (kind, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "live.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        // No page names another.
        _ => return HttpResponse::NotFound().finish(),
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(text)
}
