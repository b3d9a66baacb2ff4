//! The agenda.

use serde_json::{Value, json};

use crate::support::{Request, kaia, until};

fn titles(page: &Value) -> Vec<&str> {
    page["items"].as_array().map(|i| i.iter().filter_map(|e| e["title"].as_str()).collect()).unwrap_or_default()
}

#[test]
fn events_belong_to_who_made_them() {
    let Some(kaia) = kaia(&[]) else { return };
    let (ana, eva) = (kaia.account("ana@kaia.test").access, kaia.account("eva@kaia.test").access);
    let made = kaia.event(&ana, "Reunión", "2026-10-20T10:00:00Z", "2026-10-20T10:30:00Z");
    let path = format!("/events/{}", made["id"]);
    assert_eq!(kaia.get(&path).bearer(&ana).send().expect(200).json(), made);
    kaia.get(&path).bearer(&eva).send().expect(404);
    kaia.ask("DELETE", &path, &json!({})).bearer(&eva).send().expect(404);
    kaia.ask("PATCH", &path, &json!({ "title": "Mía" })).bearer(&eva).send().expect(404);
    assert_eq!(kaia.get("/events").bearer(&eva).send().expect(200).json()["items"], json!([]));
    let change = |body: Value| kaia.ask("PATCH", &path, &body).bearer(&ana).send();
    let changed =
        change(json!({ "title": "Daily", "reminder_minutes": 10, "recurrence": "FREQ=DAILY" })).expect(200).json();
    assert_eq!((&changed["title"], &changed["reminder_minutes"]), (&json!("Daily"), &json!(10)));
    let changed = change(json!({ "reminder_minutes": null, "recurrence": null })).expect(200).json();
    assert_eq!((&changed["recurrence"], &changed["reminder_minutes"]), (&json!(null), &json!(null)));
    change(json!({ "end_time": "2026-10-19T10:00:00Z" })).expect(422);
    kaia.ask("DELETE", &path, &json!({})).bearer(&ana).send().expect(204);
    kaia.get(&path).bearer(&ana).send().expect(404);
    for odd in ["/events/x", "/events/99999999999999999999", "/events/-1", "/events/1'%20OR%201=1"] {
        kaia.get(odd).bearer(&ana).send().expect(404);
    }
}

#[test]
fn pages_follow_one_another_without_gap_or_repetition() {
    let Some(kaia) = kaia(&[]) else { return };
    let ana = kaia.account("ana@kaia.test").access;
    for n in 0..7 {
        // Three begin at once.
        let minute = n.min(4) * 10;
        kaia.event(&ana, &format!("E{n}"), &format!("2030-01-01T10:{minute:02}:00Z"), "2030-01-01T11:00:00Z");
    }
    let series = json!({ "title": "S", "start_time": "2029-12-31T10:05:00Z", "end_time": "2029-12-31T10:06:00Z",
        "recurrence": "FREQ=DAILY;COUNT=4" });
    kaia.ask("POST", "/events", &series).bearer(&ana).send().expect(201);
    let all = kaia.get("/events?to=2031-01-01T00:00:00Z&limit=100").bearer(&ana).send().expect(200).json();
    assert_eq!(titles(&all), ["S", "E0", "S", "E1", "E2", "E3", "E4", "E5", "E6", "S", "S"]);
    let (mut cursor, mut found) = (String::new(), Vec::new());
    loop {
        let page = kaia
            .get(&format!("/events?to=2031-01-01T00:00:00Z&limit=2{cursor}"))
            .bearer(&ana)
            .send()
            .expect(200)
            .json();
        found.extend(page["items"].as_array().cloned().unwrap_or_default());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(found), all["items"]);
    let some = "/events?from=2030-01-01T10:05:30Z&to=2030-01-01T10:20:00Z";
    assert_eq!(titles(&kaia.get(some).bearer(&ana).send().expect(200).json()), ["E0", "S", "E1"]);
    for wrong in [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=x",
        "from=yesterday",
        "to=2020-01-01T00:00:00Z&from=2021-01-01T00:00:00Z",
        "x=1",
    ] {
        kaia.get(&format!("/events?{wrong}")).bearer(&ana).send().expect(422);
    }
}

#[test]
fn what_recurs_occurs_in_its_own_time_zone() {
    let Some(kaia) = kaia(&[]) else { return };
    let ana = kaia.account("ana@kaia.test").access;
    let weekly = json!({ "title": "Coro", "start_time": "2026-03-23T18:00:00Z", "end_time": "2026-03-23T19:00:00Z",
        "time_zone": "Europe/Madrid", "recurrence": "FREQ=WEEKLY;BYDAY=MO" });
    let made = kaia.ask("POST", "/events", &weekly).bearer(&ana).send().expect(201).json();
    let page =
        kaia.get("/events?from=2026-03-20T00:00:00Z&to=2026-04-07T00:00:00Z").bearer(&ana).send().expect(200).json();
    let starts: Vec<_> = page["items"].as_array().unwrap().iter().map(|e| e["start_time"].clone()).collect();
    assert_eq!(json!(starts), json!(["2026-03-23T18:00:00Z", "2026-03-30T17:00:00Z", "2026-04-06T17:00:00Z"]));
    assert_eq!(page["items"][2]["occurrence"]["series_start_time"], "2026-03-23T18:00:00Z");
    let conflicts = |body: Value| kaia.ask("POST", "/events/conflicts", &body).bearer(&ana).send().expect(200).json();
    let monday = json!({ "start_time": "2026-08-03T17:30:00Z", "end_time": "2026-08-03T18:30:00Z" });
    assert_eq!(conflicts(monday.clone())["conflicts"][0]["title"], "Coro");
    let mut moved = monday;
    moved["exclude"] = made["id"].clone();
    assert_eq!(conflicts(moved)["conflicts"], json!([]));
    let touching = json!({ "start_time": "2026-08-03T18:00:00Z", "end_time": "2026-08-03T18:30:00Z" });
    assert_eq!(conflicts(touching)["conflicts"], json!([]));
    for wrong in ["FREQ=SECONDLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "nonsense", "FREQ=DAILY;COUNT=99999"] {
        let mut event = weekly.clone();
        event["recurrence"] = json!(wrong);
        kaia.ask("POST", "/events", &event).bearer(&ana).send().expect(422);
    }
}

#[test]
fn a_repeated_creation_makes_nothing_twice() {
    let Some(kaia) = kaia(&[]) else { return };
    let (ana, eva) = (kaia.account("ana@kaia.test").access, kaia.account("eva@kaia.test").access);
    let event = |title: &str| json!({ "title": title, "start_time": "2030-01-01T10:00:00Z", "end_time": "2030-01-01T11:00:00Z" });
    let named = |token: &str, title: &str| {
        kaia.ask("POST", "/events", &event(title)).bearer(token).header("idempotency-key", "k-1")
    };
    let request = named(&ana, "Una vez");
    let made: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| request.send().expect(201).json())).collect();
        all.into_iter().map(|t| t.join().expect("it ends")).collect()
    });
    assert!(made.iter().all(|m| *m == made[0]), "{made:?}");
    assert_eq!(kaia.sql("SELECT count(*) FROM events"), "1");
    named(&ana, "Otra").send().expect(422);
    assert_ne!(named(&eva, "Una vez").send().expect(201).json()["id"], made[0]["id"]);
    kaia.ask("DELETE", &format!("/events/{}", made[0]["id"]), &json!({})).bearer(&ana).send().expect(204);
    named(&ana, "Una vez").send().expect(409);
    kaia.ask("POST", "/events", &event("x"))
        .bearer(&ana)
        .header("idempotency-key", &"k".repeat(300))
        .send()
        .expect(422);
}

#[test]
fn a_calendar_goes_out_and_comes_in() {
    let Some(kaia) = kaia(&[]) else { return };
    let (ana, eva) = (kaia.account("ana@kaia.test").access, kaia.account("eva@kaia.test").access);
    kaia.event(&ana, "Uno; dos, \"tres\"\nBEGIN:VEVENT", "2030-01-01T10:00:00Z", "2030-01-01T11:00:00Z");
    let weekly = json!({ "title": "Coro ñ 🎶", "description": "línea\nlínea", "location": "Calle, 1",
        "start_time": "2026-03-23T18:00:00Z", "end_time": "2026-03-23T19:00:00Z",
        "time_zone": "Europe/Madrid", "recurrence": "FREQ=WEEKLY;BYDAY=MO;COUNT=3" });
    kaia.ask("POST", "/events", &weekly).bearer(&ana).send().expect(201);
    let out = kaia.get("/events/export.ics").bearer(&ana).send().expect(200);
    assert!(out.header("content-type").is_some_and(|v| v.starts_with("text/calendar")), "{out:?}");
    assert_eq!(out.text.matches("\r\nBEGIN:VEVENT\r\n").count(), 2, "{}", out.text);
    let import = |text: &str| {
        let request = Request::new(kaia.port, "POST", "/api/v1/events/import");
        request.header("content-type", "text/calendar; charset=utf-8").bearer(&eva).body(text).send()
    };
    assert_eq!(import(&out.text).expect(200).json(), json!({ "imported": 2, "skipped": 0 }));
    assert_eq!(import(&out.text).expect(200).json(), json!({ "imported": 0, "skipped": 2 }));
    let strip = |token: &str| {
        let page = kaia
            .get("/events?from=2026-01-01T00:00:00Z&to=2031-01-01T00:00:00Z")
            .bearer(token)
            .send()
            .expect(200)
            .json();
        let keep = |e: &Value| {
            json!([e["title"], e["description"], e["location"], e["start_time"], e["end_time"], e["recurrence"]])
        };
        page["items"].as_array().map(|i| i.iter().map(keep).collect::<Vec<_>>()).unwrap_or_default()
    };
    assert_eq!(strip(&ana), strip(&eva));
    import("hello").expect(400);
    let deep = format!("{}{}", "BEGIN:VCALENDAR\n".repeat(20_000), "END:VCALENDAR\n".repeat(20_000));
    import(&deep).expect(400);
    import(&"x".repeat(2_000_000)).expect(413);
    kaia.ask("POST", "/events/import", &json!({})).bearer(&eva).send().expect(415);
}

#[test]
fn a_reminder_comes_once_as_sms() {
    let Some(kaia) = kaia(&[]) else { return };
    let ana = kaia.account("ana@kaia.test").access;
    let said = json!({ "time_zone": "Europe/Madrid", "language": "en", "phone": "+34600123456" });
    kaia.ask("PUT", "/me/onboarding", &said).bearer(&ana).send().expect(200);
    let daily = json!({ "title": "Pills", "start_time": "2026-01-01T10:00:00Z", "end_time": "2026-01-01T10:01:00Z",
        "recurrence": "FREQ=DAILY", "reminder_minutes": 15 });
    kaia.ask("POST", "/events", &daily).bearer(&ana).send().expect(201);
    assert_eq!(kaia.sql("SELECT next_reminder_at > now() FROM events"), "t");
    kaia.sql("UPDATE events SET next_reminder_at = now() - interval '1 second'");
    let sms = until("an SMS", || kaia.simulator.requests("/2010-04-01/Accounts/").pop());
    assert!(sms.body.starts_with("To=%2B34600123456&From=%2B15005550006&Body=Kaia%3A%20Pills%2C%20at%20"), "{sms:?}");
    assert_eq!(until("the next one", || Some(kaia.sql("SELECT next_reminder_at > now() FROM events"))), "t");
    assert_eq!(kaia.simulator.requests("/2010-04-01/Accounts/").len(), 1);
}

#[test]
fn places_are_looked_up() {
    let Some(kaia) = kaia(&[]) else { return };
    let ana = kaia.account("ana@kaia.test").access;
    let found = kaia.get("/places?query=plaza%20mayor").bearer(&ana).send().expect(200).json();
    assert_eq!(
        found["items"][0],
        json!({ "place_id": "ChIJ1", "name": "Plaza Mayor", "address": "Plaza Mayor, 28012 Madrid",
        "latitude": 40.4155, "longitude": -3.7074 })
    );
    let asked = kaia.simulator.requests("/v1/places:searchText").pop().expect("it was asked");
    assert_eq!(asked.headers.get("x-goog-api-key").map(String::as_str), Some("AIza-test"));
    kaia.get("/places?query=%20").bearer(&ana).send().expect(422);
    kaia.get("/places?query=x").send().expect(401);
    kaia.simulator.fail("/v1/places", 1);
    kaia.get("/places?query=x").bearer(&ana).send().expect(503);
}
