//! What is found in tracked files and what is not. Tokens are put together here at run time, so that this file holds none.
#![allow(clippy::unwrap_used)]

use age::secrecy::ExposeSecret;
use std::cell::Cell;

use ambit_secrets::{
    keys,
    scan::{Finding, scan},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;

fn in_file(path: &str, text: &str) -> Vec<Finding> {
    scan([(path, text)])
}

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0x9e37_79b9_7f4a_7c15) };
}

/// Characters of an alphabet that look drawn at random and are the same in every run.
fn drawn(alphabet: &str, length: usize) -> String {
    let letters = alphabet.as_bytes();
    let next = || {
        let mut state = STATE.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        STATE.set(state);
        char::from(letters[(state >> 33) as usize % letters.len()])
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn random(length: usize) -> String {
    drawn("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", length)
}

fn hex(length: usize) -> String {
    drawn("0123456789abcdef", length)
}

fn jwt(payload: &str) -> String {
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part(payload), random(43))
}

fn pem(label: &str) -> String {
    format!("-----{} {label}-----\n{}\n{}\n-----END {label}-----\n", "BEGIN", random(64), random(64))
}

#[test]
fn tokens_are_found_by_their_shapes() {
    let dash = "-";
    let table: Vec<(&str, String)> = vec![
        ("an AWS access key", format!("AK{}{}", "IA", drawn("ABCDEFGHJKLMNPQRSTUVWXYZ234567", 16))),
        ("an AWS secret access key", format!("aws_secret_access_key = {}", random(40))),
        ("an AWS secret access key", format!("secretAccessKey: '{}'", random(40))),
        ("a GitHub token", format!("gh{}_{}", 'p', random(36))),
        ("a GitHub token", format!("gh{}_{}", 'o', random(36))),
        ("a GitHub token", format!("github{}_{}_{}", "_pat", random(22), random(59))),
        ("a GitLab token", format!("gl{}{dash}{}", "pat", random(20))),
        ("a Slack token", format!("xox{}{dash}{}-{}-{}", 'b', "123456789012", "234567890123", random(24))),
        (
            "a Slack webhook",
            format!("https://hooks.{}/services/T0{}/B0{}/{}", "slack.com", "ABCDE123", "FGHIJ456", random(24)),
        ),
        ("a Stripe live key", format!("sk_{}_{}", "live", random(24))),
        ("a Stripe live key", format!("rk_{}_{}", "live", random(24))),
        ("a SendGrid key", format!("S{}.{}.{}", 'G', random(22), random(43))),
        ("a Twilio API key", format!("S{}{}", 'K', hex(32))),
        ("a Twilio auth token", format!("TWILIO_AUTH_TOKEN={}", hex(32))),
        ("a Google API key", format!("AI{}{}", "za", random(35))),
        ("an npm token", format!("npm{}{}", '_', random(36))),
        ("a PyPI token", format!("pypi{dash}{}{}", "AgEIcHlwaS5vcmc", random(80))),
        ("a Sentry token", format!("sntr{}_{}", "ys", random(90))),
        ("a Railway token", format!("RAILWAY_TOKEN: {}-{}-{}-{}-{}", hex(8), hex(4), hex(4), hex(4), hex(12))),
        ("an Expo token", format!("EXPO_TOKEN=\"{}\"", random(40))),
        ("a Cloudflare token", format!("CLOUDFLARE_API_TOKEN={}", random(40))),
        ("an age secret key", keys::generate().secret_text().expose_secret().to_owned()),
        ("a JSON web token", jwt(r#"{"sub":"42","name":"Ana"}"#)),
        ("an OpenAI key", format!("sk{dash}proj-{}T3Blbk{}{}", random(40), "FJ", random(40))),
        ("an Anthropic key", format!("sk{dash}ant-api03-{}", random(93))),
        ("a DigitalOcean token", format!("dop{}{}", "_v1_", hex(64))),
        ("a Slack token", format!("xap{}{dash}1-A0B1C2D3E4-1234567890123-{}", 'p', hex(64))),
        ("a Discord webhook", format!("https://discord{}/123456789012345678/{}", ".com/api/webhooks", random(68))),
        ("a webhook signing secret", format!("whse{}_{}", 'c', random(32))),
        ("a Google OAuth secret", format!("GOCS{}{dash}{}", "PX", random(28))),
        ("a crates.io token", format!("ci{}{}", 'o', random(32))),
        ("a Sentry token", format!("sntr{}_{}", "yu", hex(64))),
        (
            "a Hugging Face token",
            format!("h{}_{}", 'f', drawn("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", 34)),
        ),
        ("a Telegram bot token", format!("bot 1234567890:{}{}", "AA", random(33))),
        ("a Mailgun key", format!("key{dash}{}", hex(32))),
        ("a private key", pem("PRIVATE KEY")),
        ("a private key", pem("RSA PRIVATE KEY")),
        ("a private key", pem("OPENSSH PRIVATE KEY")),
        ("a private key", format!("{:?}", pem("PRIVATE KEY"))),
    ];
    for (what, token) in table {
        for text in [token.clone(), format!("first line\nconst x = f({token});\n"), format!("\"a\\n{token}\"")] {
            let findings = in_file("src/app.js", &text);
            let found: Vec<&str> = findings.iter().map(|finding| finding.what.as_str()).collect();
            assert_eq!(found, [what], "in {text}");
            assert!(findings[0].help.contains("ambit secret set ") && findings[0].help.contains("issuer"));
            assert!(findings[0].excerpt.chars().count() <= 5);
        }
    }
}

#[test]
fn a_finding_names_its_place_and_shows_four_characters() {
    let token = format!("gh{}_{}", 'p', random(36));
    let findings = in_file("src/añb.js", &format!("\n\nconst ñ = '{token}'; // x\n"));
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.line, finding.column, finding.excerpt.as_str()), (3, 12, "ghp_…"));
    assert!(!format!("{finding:?}").contains(&token[4..12]));
}

#[test]
fn addresses_with_real_passwords_are_found() {
    let password = random(20);
    for scheme in ["postgres", "postgresql", "mysql", "rediss", "amqps", "mongodb+srv", "postgresql+psycopg2"] {
        let findings = in_file("a.yml", &format!("url: {scheme}://kaia:{password}@db.kaia.ai:5432/kaia"));
        assert_eq!(
            findings.iter().map(|f| f.what.as_str()).collect::<Vec<_>>(),
            ["a password in an address"],
            "{scheme}"
        );
        assert_eq!(findings[0].column, 5 + scheme.len() + 3 + 5 + 1);
    }
    assert_eq!(in_file("a", &format!("redis://:{password}@cache.kaia.ai")).len(), 1);
    let weak = ["hunter2", "Tr0ub4dor"][0];
    assert_eq!(in_file("a", &format!("postgres://kaia:{weak}@db.kaia.ai/kaia")).len(), 1);
}

#[test]
fn addresses_with_placeholders_are_not_found() {
    for text in [
        "postgresql://user:pass@dev-db.railway.app:5432/kaia-dev",
        "postgres://user:password@localhost:5432/db",
        "postgres://postgres:postgres@db:5432/app",
        "postgres://kaia:kaia@db.kaia.ai/kaia",
        "postgres://${USER}:${PASSWORD}@db.kaia.ai/kaia",
        "postgres://kaia:$PASSWORD@db.kaia.ai/kaia",
        "postgres://kaia:<password>@db.kaia.ai/kaia",
        "postgres://kaia:***@db.kaia.ai/kaia",
        "postgres://kaia:xxxxxx@db.kaia.ai/kaia",
        "postgres://{user}:{password}@{host}/kaia",
        "postgres://kaia:your_password@db.kaia.ai/kaia",
        "mongodb://admin:changeme@cluster0.mongodb.net",
        "postgres://kaia:s3cr3t@db.example.com/kaia",
        "postgres://kaia:hunter2@127.0.0.1:5432/kaia",
        "amqp://guest:guest@rabbit.internal.net",
        "redis://localhost:6379",
        "redis://cache.kaia.ai:6379",
        "postgres://db.kaia.ai/kaia?x=a:b@c",
        "https://kaia.ai:8080/@ana",
        "jdbc:postgresql://db.kaia.ai/kaia",
        "://",
    ] {
        assert_eq!(in_file("README.md", text), [], "{text}");
    }
}

#[test]
fn a_random_literal_assigned_to_a_secret_is_found_in_any_language() {
    for (text, name) in [
        ("const jwtSecret = \"VALUE\";", "JWT_SECRET"),
        ("const apiKey: string = 'VALUE';", "API_KEY"),
        ("API_TOKEN: &str = \"VALUE\"", "API_TOKEN"),
        ("  \"client_secret\": \"VALUE\",", "CLIENT_SECRET"),
        ("password: \"VALUE\"", "PASSWORD"),
        ("config['db_password'] = 'VALUE'", "DB_PASSWORD"),
        (":secret_token => 'VALUE'", "SECRET_TOKEN"),
        ("token := `VALUE`", "TOKEN"),
    ] {
        for value in [random(32), hex(64), random(24)] {
            let findings = in_file("src/a", &text.replace("VALUE", &value));
            assert_eq!(findings.len(), 1, "{text} {value}");
            assert!(findings[0].help.contains(&format!("set {name} -e")), "{}", findings[0].help);
        }
    }
}

#[test]
fn ordinary_code_is_not_found() {
    let sha = hex(40);
    let sha256 = hex(64);
    for text in [
        "const password = \"correct horse battery staple\";".to_owned(),
        "password = \"ultra-secure-production-secret-min-32-chars\"".to_owned(),
        "JWT_SECRET = { min-length = { prod = 32 } }".to_owned(),
        "const tokenUrl = \"https://login.kaia.ai/oauth2/v2.0/token\";".to_owned(),
        "const token = await getUserAccessToken(request.headers);".to_owned(),
        "token: \"com.kaia.app.authentication.token.v2\"".to_owned(),
        "token = \"0f8fad5b-d9cb-469f-a165-70867728950e\"".to_owned(),
        "password = os.environ[\"PRODUCTION_DATABASE_PASSWORD_2\"]".to_owned(),
        "secret: \"${{ secrets.RAILWAY_TOKEN_PROD }}\"".to_owned(),
        "api_key = \"YOUR_API_KEY_GOES_HERE_12345\"".to_owned(),
        "expect(token).toBe('AccessTokenExpiredErrorMessage1')".to_owned(),
        format!("password_hash = \"$2b$10${}\"", random(53)),
        format!("token_sha256 = \"{sha256}\""),
        format!("secretsCommit = \"{sha}\""),
        format!("checksum = \"{sha256}\""),
        format!("uses: actions/checkout@{sha} # v4"),
        format!("\"integrity\": \"sha512-{}==\"", random(86)),
        format!("data:image/png;base64,{}", random(4000)),
        "-----BEGIN PRIVATE KEY-----".to_owned(),
        "if text.contains(\"-----BEGIN PRIVATE KEY-----\") { return parse(text).map_err(|e| e.to_string()) } -----END"
            .to_owned(),
        ["-----BEGIN", " CERTIFICATE-----\n", &random(64), "\n"].concat(),
        ["AK", "IA", "IOSFODNN7EXAMPLE"].concat(),
        ["SG.", "dev-key SG.production-key"].concat(),
        ["ghp", "_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"].concat(),
        ["https://hooks.slack", ".com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"].concat(),
        ["sk", "_live_xxxxxxxxxxxxxxxxxxxxxxxx sk_test_abcdefghijklmnop1234"].concat(),
        ["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0.", &random(43)]
            .concat(),
        format!("const token = \"{}\"", jwt(r#"{"role":"anon"}"#)),
        jwt(r#"{"iss":"supabase","role":"anon"}"#),
        "class=\"sk-spinner sk-ant-design-spinner-container-wrapper-element\"".to_owned(),
        "disk-usage task-force ask-me precio: 32 hf_hub_download npm_config_registry npm_package_version".to_owned(),
    ] {
        assert_eq!(in_file("src/app.ts", &text), [], "{text}");
    }
}

#[test]
fn lockfiles_and_minified_files_are_looked_at_for_shaped_tokens_only() {
    let line = format!("token:\"{}\"", random(40));
    assert_eq!(in_file("src/app.js", &line).len(), 1);
    for path in ["package-lock.json", "web/app.min.js", "Cargo.lock", "dist/app.js.map"] {
        assert_eq!(in_file(path, &line), [], "{path}");
        assert_eq!(in_file(path, &format!("x gh{}_{}", 'p', random(36))).len(), 1, "{path}");
    }
}

#[test]
fn a_committed_env_file_is_found_where_it_holds_secrets() {
    let text = "NODE_ENV=production\nJWT_SECRET=dev-secret-not-secure-ok\nexport SMTP_PASSWORD=\"hunter22\" # x\n\
                JWT_REFRESH_TOKEN_EXPIRES_IN=30d\nAPI_KEY=\nTOKEN=changeme\nPASSWORD=${OTHER}\n# SECRET=real-one-99\n";
    for path in [".env", "backend/.env.production", ".env.local"] {
        let findings = in_file(path, text);
        let lines: Vec<(usize, usize)> = findings.iter().map(|f| (f.line, f.column)).collect();
        assert_eq!(lines, [(2, 12), (3, 23)], "{path}");
        assert!(findings[0].help.contains("ambit secret set JWT_SECRET -e ENV"));
        assert!(findings[1].help.contains("SMTP_PASSWORD"));
    }
    for path in [".env.example", ".env.sample", ".env.production.template", "src/.envrc.md", "env.ts", ".environment"] {
        assert_eq!(in_file(path, text), [], "{path}");
    }
}

#[test]
fn a_secret_in_an_env_file_is_reported_once() {
    assert_eq!(in_file(".env", &format!("GITHUB_TOKEN=gh{}_{}\n", 'p', random(36))).len(), 1);
    let address =
        format!("DATABASE_URL=postgres://kaia:{}@db.kaia.ai/kaia\nJWT_SECRET=\"{}\"\n", random(20), random(40));
    assert_eq!(in_file(".env", &address).iter().map(|f| f.line).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn key_files_are_found_by_their_names() {
    for path in ["mobile/AuthKey_X.p8", "a.p12", "release.keystore", "android/app/upload.jks", "deploy/id_ed25519"] {
        assert_eq!(scan([(path, [0_u8, 159, 146])]).len(), 1, "{path}");
    }
    for path in ["android/app/debug.keystore", "id_ed25519.pub", "p12.rs", "keystore"] {
        assert_eq!(scan([(path, [0_u8, 159, 146])]), [], "{path}");
    }
}

#[test]
fn binary_files_and_the_encrypted_file_are_passed_over() {
    let token = format!("gh{}_{}", 'p', random(36));
    assert_eq!(in_file("a.bin", &format!("\0{token}")), []);
    assert_eq!(in_file("ambit.secrets", &token), []);
    assert_eq!(in_file("apps/x/ambit.secrets", &token), []);
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(token.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(scan([("notes.txt", utf16)]).len(), 1, "what Windows writes is text");
}

#[test]
fn a_line_with_a_reason_allows_a_finding() {
    let token = format!("gh{}_{}", 'p', random(36));
    for text in [
        format!("x = '{token}' # ambit:allow revoked in 2024, shown in the talk"),
        format!("// ambit:allow: a fixture\nx = '{token}'"),
        format!("  <!-- ambit:allow a fixture -->\n<p>{token}</p>"),
    ] {
        assert_eq!(in_file("a", &text), [], "{text}");
    }
    for text in [
        format!("x = '{token}' # ambit:allow"),
        format!("// ambit:allow \nx = '{token}'"),
        format!("<!-- ambit:allow -->\n{token}"),
    ] {
        let findings = in_file("a", &text);
        assert_eq!(findings.len(), 1, "{text}");
        assert_eq!(findings[0].help, "say why it may stay: `ambit:allow REASON`");
    }
    let other_line = format!("y = 1 // ambit:allow a fixture\nx = '{token}'");
    assert_eq!(in_file("a", &other_line).len(), 1, "a reason behind other code is that code's");
    let far = format!("// ambit:allow a fixture\n\nx = '{token}'");
    assert_eq!(in_file("a", &far).len(), 1);
}

#[test]
fn a_line_in_ambit_allow_allows_files_and_has_to_say_why() {
    let token = format!("gh{}_{}", 'p', random(36));
    let scan_with = |allow: &str| {
        let files = ["tests/fixtures/a.txt", "tests/fixtures/deep/b.txt", "src/fixtures.rs"];
        let mut tracked: Vec<(&str, String)> = files.iter().map(|path| (*path, token.clone())).collect();
        tracked.insert(1, (".ambit-allow", allow.to_owned()));
        scan(tracked).into_iter().map(|f| f.path.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(scan_with("").len(), 3);
    assert_eq!(scan_with("# comment\n\ntests/fixtures/**  # made up\n"), ["src/fixtures.rs"]);
    assert_eq!(scan_with("tests/fixtures/  # made up\n"), ["src/fixtures.rs"]);
    assert_eq!(scan_with("tests/fixtures/*  # made up\n"), ["src/fixtures.rs", "tests/fixtures/deep/b.txt"]);
    assert_eq!(scan_with("*.txt # made up"), ["src/fixtures.rs"]);
    assert_eq!(scan_with("tests/fixtures/**\n").len(), 4, "without a reason nothing is allowed, and that is a finding");
    assert_eq!(scan_with("tests/[  # x\n").len(), 4);
}

#[test]
fn a_long_line_full_of_findings_is_read_in_linear_time() {
    let one = format!("\"gh{}_{}\",", 'p', random(36));
    let line = one.repeat(1_000_000 / one.len());
    let start = std::time::Instant::now();
    assert_eq!(in_file("data.json", &line).len(), 100, "no file is reported more often");
    let keywords = "secret: \"token\" = 'password' => ://:@ ".repeat(30_000);
    assert_eq!(in_file("data.json", &keywords), []);
    assert!(start.elapsed().as_secs() < 20, "took {:?}", start.elapsed());
}

proptest! {
    #[test]
    fn no_bytes_make_the_scan_panic(
        bytes in proptest::collection::vec(prop_oneof![
            Just(b"://".to_vec()), Just(b"secret = \"".to_vec()), Just(b"ghp_".to_vec()), Just(b"-----BEGIN PRIVATE KEY-----".to_vec()),
            Just(b"eyJ".to_vec()), Just(b"ambit:allow".to_vec()), Just(b"\n".to_vec()), Just(b":a@".to_vec()), Just(b"postgres".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..12), "[A-Za-z0-9]{0,60}".prop_map(String::into_bytes),
        ], 0..20).prop_map(|parts| parts.concat()),
        path in prop_oneof![Just(".env"), Just("a.rs"), Just(".ambit-allow"), Just("x.p8")],
    ) {
        for finding in scan([(path, bytes)]) {
            prop_assert!(finding.line >= 1 && finding.column >= 1);
            prop_assert!(path == ".ambit-allow" || finding.excerpt.chars().count() <= 5);
        }
    }
}
