//! Editing `ambit.toml` without hurting it.
#![allow(clippy::unwrap_used)]

use ambit_secrets::{
    keys,
    recipients_edit::{EditError, add_recipient, add_recipient_to},
};

/// The text after adding, with the three keys written short.
fn edited(text: &str) -> String {
    edit_with(text, add_recipient)
}

fn edit_with(text: &str, edit: impl Fn(&str, &str) -> Result<String, EditError>) -> String {
    let [ana, berta, carla] = [(); 3].map(|()| keys::recipient_of(&keys::generate()));
    let long = |text: &str| text.replace("ANA", &ana).replace("BERTA", &berta);
    let once = edit(&long(text), &carla).unwrap();
    assert!(once.parse::<toml_edit::DocumentMut>().is_ok(), "{once}");
    assert_eq!(edit(&once, &carla).unwrap(), once, "adding twice adds once");
    once.replace(&ana, "ANA").replace(&berta, "BERTA").replace(&carla, "CARLA")
}

#[test]
fn a_file_without_recipients_gets_them_below_project_and_domain() {
    let text =
        "# Kaia\nproject = \"kaia\"\ndomain  = \"kaia.ai\"   # ours\n\n[environments.dev]\nkind = \"development\"\n";
    insta::assert_snapshot!(edited(text), @r#"
    # Kaia
    project = "kaia"
    domain  = "kaia.ai"   # ours
    recipients = ["CARLA"]

    [environments.dev]
    kind = "development"
    "#);
    assert_eq!(edited("project = \"kaia\""), "project = \"kaia\"\nrecipients = [\"CARLA\"]\n");
    assert_eq!(edited("# top\n[a]\n"), "# top\nrecipients = [\"CARLA\"]\n[a]\n");
    assert_eq!(edited(""), "recipients = [\"CARLA\"]\n");
}

#[test]
fn a_list_on_one_line_stays_on_one_line() {
    let text = "recipients = [\"ANA\", \"BERTA\"]   # us\nx = 1\n";
    assert_eq!(edited(text), "recipients = [\"ANA\", \"BERTA\", \"CARLA\"]   # us\nx = 1\n");
    assert_eq!(edited("recipients = []\n"), "recipients = [\"CARLA\"]\n");
}

#[test]
fn a_list_over_several_lines_keeps_its_comments_where_they_are() {
    let text = "recipients = [\n    \"ANA\",   # ana\n    # the server\n    \"BERTA\", # berta\n]\nx = 1\n";
    insta::assert_snapshot!(edited(text), @r#"
    recipients = [
        "ANA",   # ana
        # the server
        "BERTA", # berta
        "CARLA",
    ]
    x = 1
    "#);
    let text = "recipients = [\n  \"ANA\",\n  \"BERTA\"\n]\n";
    assert_eq!(edited(text), "recipients = [\n  \"ANA\",\n  \"BERTA\",\n  \"CARLA\"\n]\n");
}

#[test]
fn every_environments_list_gets_the_recipient_or_only_the_one_asked_for() {
    let inline = "recipients = { dev = [\"ANA\", \"BERTA\"], prod = \"ANA\" }\n";
    assert_eq!(edited(inline), "recipients = { dev = [\"ANA\", \"BERTA\", \"CARLA\"], prod = [\"ANA\", \"CARLA\"] }\n");
    let table = "[recipients]\ndev = [\"ANA\"] # all\nprod = [\"ANA\"]\n";
    assert_eq!(edited(table), "[recipients]\ndev = [\"ANA\", \"CARLA\"] # all\nprod = [\"ANA\", \"CARLA\"]\n");
    let (dev, test) = ("dev".parse().unwrap(), "test".parse().unwrap());
    let only_dev = edit_with(table, |text, key| add_recipient_to(text, key, &dev));
    assert_eq!(only_dev, "[recipients]\ndev = [\"ANA\", \"CARLA\"] # all\nprod = [\"ANA\"]\n");
    let new = edit_with(table, |text, key| add_recipient_to(text, key, &test));
    assert_eq!(new, "[recipients]\ndev = [\"ANA\"] # all\nprod = [\"ANA\"]\ntest = [\"CARLA\"]\n");
    let absent = edit_with("project = \"x\"\n", |text, key| add_recipient_to(text, key, &dev));
    assert_eq!(absent, "project = \"x\"\nrecipients = { dev = [\"CARLA\"] }\n");
}

#[test]
fn what_cannot_be_edited_is_refused() {
    let key = keys::recipient_of(&keys::generate());
    assert!(matches!(add_recipient("x = ", &key), Err(EditError::Toml(_))));
    assert!(matches!(add_recipient("recipients = 3", &key), Err(EditError::Shape)));
    assert!(matches!(add_recipient("recipients = { dev = 3 }", &key), Err(EditError::Shape)));
    assert!(matches!(add_recipient("", "ssh-ed25519 AAAA"), Err(EditError::Recipient(_))));
    let one_list = add_recipient_to("recipients = [\"a\"]", &key, &"dev".parse().unwrap());
    assert!(matches!(one_list, Err(EditError::OneListForAll { .. })));
}
