//! Coming in, staying in, getting out.

use serde_json::json;

use crate::support::{PASSWORD, Tokens, kaia};

#[test]
fn an_account_begins_with_a_mail_and_its_owner_only_can_open_it() {
    let Some(kaia) = kaia(&[]) else { return };
    let new = json!({ "email": "ana@kaia.test", "name": "Ana", "password": PASSWORD });
    kaia.post("/auth/register", &new).expect(202);
    assert_eq!(kaia.login("ana@kaia.test", PASSWORD).expect(403).kind(), "email-not-verified");
    assert_eq!(kaia.login("ana@kaia.test", "a wrong one").expect(401).kind(), "unauthorized");
    let token = kaia.simulator.secret("ana@kaia.test", 1, "verify");
    let verified = kaia.post("/auth/verify", &json!({ "token": token })).expect(200);
    assert_eq!(verified.json()["token_type"], "Bearer");
    kaia.post("/auth/verify", &json!({ "token": token })).expect(422);

    let tokens = Tokens::of(&kaia.login("ANA@kaia.test", PASSWORD).expect(200));
    let me = kaia.get("/me").bearer(&tokens.access).send().expect(200).json();
    assert_eq!(
        (&me["email"], &me["role"], &me["onboarding_completed"]),
        (&json!("ana@kaia.test"), &json!("user"), &json!(false))
    );
    let onboarding = json!({ "time_zone": "Europe/Madrid", "language": "es", "phone": "+34600123456" });
    let me = kaia.ask("PUT", "/me/onboarding", &onboarding).bearer(&tokens.access).send().expect(200).json();
    assert_eq!((&me["onboarding_completed"], &me["phone"]), (&json!(true), &json!("+34600123456")));
    let me = kaia
        .ask("PATCH", "/me", &json!({ "phone": "", "name": "Ana B." }))
        .bearer(&tokens.access)
        .send()
        .expect(200)
        .json();
    assert_eq!((&me["phone"], &me["name"]), (&json!(null), &json!("Ana B.")));
    let wrong = kaia.ask("PATCH", "/me", &json!({ "time_zone": "Madrid", "language": "de" })).bearer(&tokens.access);
    assert_eq!(wrong.send().expect(422).json()["errors"].as_array().map(Vec::len), Some(2));
}

#[test]
fn nobody_learns_which_addresses_have_an_account() {
    let Some(kaia) = kaia(&[]) else { return };
    kaia.account("eva@kaia.test");
    let new = |email: &str| json!({ "email": email, "name": "X", "password": PASSWORD });
    let (known, unknown) =
        (kaia.post("/auth/register", &new("eva@kaia.test")), kaia.post("/auth/register", &new("nadie@kaia.test")));
    assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
    let subject = kaia.simulator.mail("eva@kaia.test", 2)["subject"].as_str().unwrap_or_default().to_owned();
    assert!(subject.contains("Ya tienes una cuenta"), "{subject}");
    for email in ["eva@kaia.test", "otra@kaia.test"] {
        kaia.post("/auth/forgot", &json!({ "email": email })).expect(202);
    }
    let (mut known, mut unknown) = (kaia.login("eva@kaia.test", "x").json(), kaia.login("otra@kaia.test", "x").json());
    known["request_id"].take();
    unknown["request_id"].take();
    assert_eq!(known, unknown);
    // Nor by the time: the hash is computed in both cases.
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..7 {
        for (email, times) in ["eva@kaia.test", "otra@kaia.test"].iter().zip(&mut times) {
            let start = std::time::Instant::now();
            kaia.login(email, "x").expect(401);
            times.push(start.elapsed());
        }
    }
    let [known, unknown] = times.map(|mut t| {
        t.sort();
        t[3]
    });
    assert!(known < unknown * 3 && unknown < known * 3, "{known:?} {unknown:?}");
}

#[test]
fn a_refresh_token_is_good_once_and_a_stolen_one_ends_the_session() {
    let Some(kaia) = kaia(&[]) else { return };
    let first = kaia.account("ana@kaia.test");
    let other = Tokens::of(&kaia.login("ana@kaia.test", PASSWORD).expect(200));
    let refresh = |token: &str| kaia.post("/auth/refresh", &json!({ "refresh_token": token }));
    let second = Tokens::of(&refresh(&first.refresh).expect(200));
    assert_ne!(first.refresh, second.refresh);
    kaia.get("/me").bearer(&second.access).send().expect(200);
    // The thief comes second, or the owner does: nobody can tell.
    refresh(&first.refresh).expect(401);
    refresh(&second.refresh).expect(401);
    kaia.get("/me").bearer(&second.access).send().expect(401);
    kaia.get("/me").bearer(&first.access).send().expect(401);
    // The other login is another family.
    refresh(&other.refresh).expect(200);
}

#[test]
fn of_two_refreshes_at_once_at_most_one_succeeds() {
    let Some(kaia) = kaia(&[]) else { return };
    let tokens = kaia.account("ana@kaia.test");
    let request = kaia.ask("POST", "/auth/refresh", &json!({ "refresh_token": tokens.refresh }));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| request.send().status)).collect();
        all.into_iter().map(|t| t.join().expect("it ends")).collect()
    });
    assert_eq!(answers.iter().filter(|s| **s == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|s| **s == 401).count(), 7, "{answers:?}");
}

#[test]
fn logging_out_ends_the_session_and_changing_the_password_the_others() {
    let Some(kaia) = kaia(&[]) else { return };
    let first = kaia.account("ana@kaia.test");
    let login = |password: &str| Tokens::of(&kaia.login("ana@kaia.test", password).expect(200));
    kaia.post("/auth/logout", &json!({ "refresh_token": first.refresh })).expect(204);
    kaia.post("/auth/logout", &json!({ "refresh_token": "nonsense" })).expect(204);
    kaia.get("/me").bearer(&first.access).send().expect(401);

    let (here, elsewhere) = (login(PASSWORD), login(PASSWORD));
    kaia.get("/me").bearer(&elsewhere.access).send().expect(200);
    let change = |current: &str| json!({ "current_password": current, "new_password": "otra contraseña larga" });
    kaia.ask("PUT", "/me/password", &change("falsa")).bearer(&here.access).send().expect(422);
    kaia.ask("PUT", "/me/password", &change(PASSWORD)).bearer(&here.access).send().expect(204);
    kaia.get("/me").bearer(&here.access).send().expect(200);
    kaia.get("/me").bearer(&elsewhere.access).send().expect(401);
    kaia.login("ana@kaia.test", PASSWORD).expect(401);
    login("otra contraseña larga");
}

#[test]
fn who_holds_a_token_has_few_guesses_at_the_password() {
    let Some(kaia) = kaia(&[("RATE_LIMIT_ENABLED", "true")]) else { return };
    let stolen = kaia.account("ana@kaia.test").access;
    let guess = |current: &str| {
        let change = json!({ "current_password": current, "new_password": "otra contraseña larga" });
        kaia.ask("PUT", "/me/password", &change).bearer(&stolen).send()
    };
    for _ in 0..5 {
        guess("falsa").expect(422);
    }
    guess(PASSWORD).expect(429);
}

#[test]
fn a_forgotten_password_is_set_anew_by_mail() {
    let Some(kaia) = kaia(&[]) else { return };
    let before = kaia.account("ana@kaia.test");
    kaia.post("/auth/forgot", &json!({ "email": "Ana@kaia.test" })).expect(202);
    let token = kaia.simulator.secret("ana@kaia.test", 2, "reset");
    let reset = |password: &str| kaia.post("/auth/reset", &json!({ "token": token, "password": password }));
    reset("corta").expect(422);
    reset("una nueva y larga").expect(204);
    reset("una nueva y larga").expect(422);
    kaia.get("/me").bearer(&before.access).send().expect(401);
    kaia.login("ana@kaia.test", "una nueva y larga").expect(200);
    kaia.post("/auth/forgot", &json!({ "email": "ana@kaia.test" })).expect(202);
    let old = kaia.simulator.secret("ana@kaia.test", 3, "reset");
    kaia.sql("UPDATE password_resets SET expires_at = now() - interval '1 minute'");
    kaia.post("/auth/reset", &json!({ "token": old, "password": PASSWORD })).expect(422);
}

#[test]
fn a_mail_that_is_not_taken_at_once_is_sent_later() {
    let Some(kaia) = kaia(&[]) else { return };
    kaia.simulator.fail("/v3/mail", 2);
    kaia.account("ana@kaia.test");
}
