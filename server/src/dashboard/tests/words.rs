//! The terms on pages: one term for each thing, and on a narrow screen each cell of a list has a label.

use holdfast_catalog::report::Mode;

use super::*;

#[actix_web::test]
async fn one_is_not_several() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    seeded.good_commit(GOOD, 60).await;
    let node = seeded.enrolled("web1.acme.example", "alpinhost/acme").await;
    seeded.report(node, seeded.ago(3), vec![], Mode::Enforce).await;
    let page = see(&seeded, "ana", "/").await.body;
    assert!(page.contains("1 of 1 node</a>"), "{page}");
    for path in all_pages(&seeded).await {
        let page = see(&seeded, "ana", &path).await.body;
        let plural = ["nodes", "runs", "events", "facts", "resources", "lines", "places", "characters"];
        for word in plural.map(|many| format!("1 {many}")) {
            let at =
                page.match_indices(&word).find(|(at, _)| !page[..*at].ends_with(|c: char| c.is_numeric()));
            assert!(at.is_none(), "{path} says {word}");
        }
    }
}

#[actix_web::test]
async fn a_form_says_what_became_of_it_beside_itself() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    see(&seeded, "ana", "/").await;
    let send = async |token: &str, new: &str, again: &str| {
        let cookie = ("cookie", format!("__Host-holdfast={token}"));
        ask(&seeded, form("/account", &[("new", new), ("again", again)]).insert_header(cookie)).await
    };
    let (good, long) = ("correct horse battery", "x".repeat(257));
    for (new, again, says) in [
        (good, "correct horse batterx", "The new password and its repetition differ."),
        ("short", "short", "A password needs at least 12 characters."),
        (&*long, &*long, "A password can have at most 256 bytes."),
    ] {
        let answer = send("pana", new, again).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        let page = &answer.body;
        assert!(page.contains(says) && page.contains("name=\"new\"") && page.contains("Log out"), "{page}");
    }
    let set = send("pana", good, good).await;
    assert_eq!((set.status, set.header(LOCATION)), (StatusCode::SEE_OTHER, "/account?set"));
    let page = see(&seeded, "ana", "/account?set").await.body;
    assert!(page.contains("The password is set"), "{page}");
    assert!(!see(&seeded, "ana", "/account").await.body.contains("The password is set"));
}

#[actix_web::test]
async fn an_error_is_a_sentence_in_the_frame_of_the_logged_in_user() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    let wrong = see(&seeded, "ana", "/nodes?colour=red").await.body;
    assert!(wrong.contains("<p>This address is not valid: ") && wrong.contains("Log out"), "{wrong}");
    for path in ["/nodes/nosuch.example", "/reports/99", "/commits/0000000000"] {
        let page = see(&seeded, "ana", path).await.body;
        assert!(page.contains("<p>There is nothing here.</p>"), "{page}");
    }
    let stranger = ask(&seeded, TestRequest::get().uri("/nosuch")).await.body;
    assert!(
        stranger.contains("<p>There is nothing here.</p>") && !stranger.contains("Log out"),
        "{stranger}"
    );
}

#[actix_web::test]
async fn an_address_that_asks_for_what_is_none_is_told_without_the_words_of_a_library() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    for (path, says) in [
        ("/nodes?colour=red", "it has `colour`, but can only have `"),
        ("/nodes?sort=colour", "`colour` is not one of `name`, `"),
        ("/nodes?page=x", "a number is missing or too large"),
        ("/commits?page=-1", "a number is missing or too large"),
        ("/commits?side=1", "it has `side`, but can only have `page`"),
        ("/nodes?did=slept", "`slept` is not one of `"),
    ] {
        let answer = see(&seeded, "ana", &format!("/api/v1{path}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        let said: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert!(said["error"].as_str().unwrap().contains(says), "{path}: {said}");
        for word in ["unknown field", "variant", "expected", "deserialize", "invalid"] {
            assert!(!answer.body.contains(word), "{path}: {said}");
        }
    }
}

#[actix_web::test]
async fn a_cell_says_what_it_is_where_there_is_no_heading() {
    let seeded = seeded().await;
    let mut lists = 0;
    for path in all_pages(&seeded).await {
        let page = see(&seeded, "ana", &path).await.body;
        for list in page.split("<table class=\"nodes\">").skip(1) {
            let list = list.split("</table>").next().unwrap();
            for cell in list.split("<td").skip(1) {
                let (attributes, content) = cell.split_once('>').unwrap();
                assert!(attributes.contains("data-label="), "{path}: {cell}");
                assert!(!content.starts_with("</td>"), "{path}: nothing behind {attributes}");
            }
            lists += 1;
        }
    }
    assert!(lists > 5, "{lists}");
    let style = include_str!("../../../assets/style.css");
    let (_, narrow) = style.split_once("@media (max-width: 48rem)").unwrap();
    assert!(narrow.contains(".nodes td[data-label]::before { content: attr(data-label)"));
}
