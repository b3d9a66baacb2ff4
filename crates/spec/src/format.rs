//! The format of `ambit.toml`, said once: what sections and keys there are, what they take and what they are for. The
//! reader takes its known keys from here, `ambit schema` its schema, and a test its list of what the reference has to
//! explain.

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Text,
    Texts,
    TextOrTexts,
    Bool,
    Number,
    Size,
    Duration,
    Scalar,
    OneOf(&'static [&'static str]),
    /// A table with these keys.
    Table(&'static [Key]),
    /// Either text or a table with these keys.
    TextOrTable(&'static [Key]),
    /// A table whose keys the team chooses, with scalars.
    Free,
    /// US dollars a month: one number, two or three, or a table with the price of a year.
    Price,
    /// A table of names and prices.
    Prices,
    /// Such a table for each environment.
    PricesEach,
    /// A table of names and tables with these keys.
    Named(&'static [Key]),
    /// A number, or two with what lies between.
    Amount,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    /// Whether it may be a table with one value for each environment.
    pub(crate) per_environment: bool,
    pub(crate) about: &'static str,
}

const fn one(name: &'static str, takes: Takes, about: &'static str) -> Key {
    Key { name, takes, per_environment: false, about }
}

const fn each(name: &'static str, takes: Takes, about: &'static str) -> Key {
    Key { name, takes, per_environment: true, about }
}

use Takes::{
    Amount, Bool, Duration, Free, Named, Number, OneOf, Price, Prices, PricesEach, Scalar, Size, Table, Text,
    TextOrTable, TextOrTexts, Texts,
};

/// One section of the file.
pub(crate) struct Section {
    /// Its header; `NAME` stands for a name that the team chooses.
    pub(crate) header: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [Key],
}

pub(crate) const TOP: &[Key] = &[
    one("project", Text, "Name of the project: lower-case letters, digits and hyphens."),
    one("domain", Text, "The public domain that `@` stands for in a `url`. On this machine it is PROJECT.localhost."),
    each("recipients", Texts, "age public keys that the secrets are encrypted to."),
];

pub(crate) const ENVIRONMENT: &[Key] = &[
    one(
        "kind",
        OneOf(&["development", "staging", "production"]),
        "What it is for. Known by itself for dev, test and prod.",
    ),
    one(
        "on",
        OneOf(&["host", "railway"]),
        "Where it lives: on this machine or at Railway. Where nothing is said, at Railway if it has a project there. \
         `ambit move` changes it.",
    ),
    one("branch", Text, "The branch whose head it runs. Without branch and tag it runs the files as they stand."),
    one("tag", Text, "It runs the newest tag that matches this pattern and is on the branch (main)."),
    one("deploy", OneOf(&["auto", "manual"]), "Whether a push deploys by itself: auto, but manual for production."),
    one("approvers", Texts, "Who may say yes to a deployment, by e-mail address or handle."),
    one("approval-expires", Duration, "How long a deployment waits for a yes, and how long a yes holds; 24h."),
    one("author-may-approve", Bool, "Whether somebody who wrote a part of the change may approve it."),
    one("freeze", Texts, "Times in which nothing is deployed, such as `Fri 16:00 - Mon 08:00`."),
    one("hotfix", Text, "Branches that go straight here with the shorter gate list, such as `hotfix/*`."),
    one("gates", Texts, "The gates that a deployment has to pass; in production all ten where nothing is said."),
    one("hotfix-gates", Texts, "The gates of a hotfix; in production tests, backup, variables and rollback."),
    one("seed", Bool, "Whether a new database is filled by the seed."),
    one("clean", Duration, "How often it is reset: `weekly`, `daily` or a time."),
    one("data", Table(DATA), "Where its data is copied from."),
    one("backup", Table(BACKUP), "How it is backed up."),
    one("keep-releases", Number, "How many releases stay for a rollback; 5 where nothing is said."),
    one("soak", Duration, "How long a new release is watched before it counts as good; in production 5m."),
    one("max-error-rate", Number, "Share of failed requests, in percent, that takes a deployment back; 5."),
    one("max-latency", Duration, "95th percentile of the answer time that takes a deployment back."),
];

const DATA: &[Key] = &[
    one("from", Text, "The environment that is read."),
    one("masked", Bool, "Whether personal values are replaced. Production's always are."),
];

pub(crate) const BACKUP: &[Key] = &[
    one("every", Duration, "Time between two backups."),
    one("keep", Duration, "How long one is kept."),
    one("point-in-time", Bool, "Whether any moment within `keep` can be restored."),
    one("to", Text, "Where backups go: a folder, `s3://bucket/path` or `sftp://user@host/path`; Ambit's own folder."),
    one("smoke", Text, "A query that a restored copy has to answer with a row whose first value is not false."),
    one("endpoint", Text, "The host of an S3-compatible store; that of AWS in the region where nothing is said."),
    one("region", Text, "The region of an S3 bucket."),
    one("key", Text, "The secret that holds the access key of S3, or the private key (PEM) of SFTP."),
    one("key-secret", Text, "The secret that holds the secret access key of S3."),
    one("host-key", Text, "SHA-256 fingerprint of the SFTP server's key, in hexadecimal digits."),
];

const BUILD_TIME: Key =
    one("build-time", Duration, "The longest that a command of the build or the tests may take; 1h.");
const BUILD_MEMORY: Key = one(
    "build-memory",
    Size,
    "The most memory that the build or the tests may take; three quarters of the machine's where nothing is said.",
);

pub(crate) const APP: &[Key] = &[
    one("source", Text, "Its folder, relative to ambit.toml; `.` where nothing is said."),
    one("kind", OneOf(&["web", "worker"]), "Whether it answers HTTP on PORT."),
    one("schedule", Text, "Cron expression of a job that runs and ends."),
    each("build", Text, "Shell command that builds it."),
    BUILD_TIME,
    BUILD_MEMORY,
    each("run", Text, "Shell command that starts it."),
    each("migrate", Text, "Shell command that brings the database up to date, before the new version starts."),
    one("migrations", Text, "A folder of SQL files (`0001_users.sql`) that Ambit runs itself, each once."),
    each(
        "seed",
        Text,
        "Shell command that fills a new database, or a file of SQL such as `seeds/dev.sql` that Ambit runs.",
    ),
    each("test", Text, "Shell command that tests it."),
    each("health", TextOrTable(HEALTH), "Path that answers 200 when it is ready."),
    each("instances", Number, "How many run side by side."),
    each("drain", Duration, "How long requests may take to finish on an instance that is replaced; 30s."),
    each("port", Number, "A fixed port for a single instance; otherwise a free one is chosen."),
    each("memory", Size, "Memory limit, such as `512MB`."),
    each("cpus", Number, "Processor limit in cores."),
    each("url", TextOrTexts, "Where people reach it. `@` is the domain; the first one is `${NAME.url}`."),
    one("only", Texts, "The environments that have it; all where nothing is said."),
];

const HEALTH: &[Key] = &[
    one("path", Text, "Path of a GET."),
    one("status", Number, "Status that counts as healthy; 200 where nothing is said."),
    one("successes", Number, "How many healthy answers in a row count; 3 where nothing is said."),
    one("deadline", Duration, "How long a new instance has to become healthy; 60s where nothing is said."),
];

pub(crate) const SITE: &[Key] = &[
    one("static", Text, "The folder that is served, relative to ambit.toml."),
    one("source", Text, "The folder that `build` runs in, where one builds it."),
    each("build", Text, "Shell command that makes the folder."),
    BUILD_TIME,
    BUILD_MEMORY,
    one("expose", Texts, "Variables that its pages may read. Never secrets."),
    one("single-page", Bool, "Whether unknown paths answer index.html."),
    each("url", TextOrTexts, "Where people reach it. `@` is the domain; the first one is `${NAME.url}`."),
    one("only", Texts, "The environments that have it; all where nothing is said."),
];

pub(crate) const POSTGRES: &[Key] = &[
    each("version", Number, "Major version, 14 to 18; the newest on the machine where nothing is said."),
    each("database", Text, "Name of the database; PROJECT-ENVIRONMENT where nothing is said."),
    each("port", Number, "A fixed port; otherwise a free one is chosen."),
    each("memory", Size, "Memory that it may plan with."),
    one("settings", Free, "Settings of the server, checked by PostgreSQL itself."),
    one("only", Texts, "The environments that have it; all where nothing is said."),
];

pub(crate) const REDIS: &[Key] = &[
    each(
        "persist",
        OneOf(&["none", "snapshot", "append-only"]),
        "What survives a restart; decided by the kind where nothing is said.",
    ),
    each("port", Number, "A fixed port; otherwise a free one is chosen."),
    each("memory", Size, "Most memory that data may take."),
    one("only", Texts, "The environments that have it; all where nothing is said."),
];

pub(crate) const VARIABLE: &[Key] = &[
    each("value", Scalar, "The value; may name others as `${…}`."),
    each("generate", Number, "That many random letters and digits, made once for each environment."),
    each("required", Bool, "Whether an empty value is refused."),
    each("min-length", Number, "Fewest characters."),
    each("one-of", Texts, "The only values allowed."),
    each("url", Bool, "Whether it has to be a URL."),
    one("services", Texts, "The services that get it; all where nothing is said."),
    one("only", Texts, "The environments that have it; all where nothing is said."),
];

pub(crate) const SECRET: &[Key] = &[
    each("required", Bool, "Whether it has to be set; true where nothing is said."),
    each("min-length", Number, "Fewest characters."),
    each("one-of", Texts, "The only values allowed."),
    each("url", Bool, "Whether it has to be a URL."),
    one("services", Texts, "The services that get it; all where nothing is said."),
    one("only", Texts, "The environments that have it; all where nothing is said."),
];

pub(crate) const MOBILE: &[Key] = &[
    one("source", Text, "Its folder."),
    each("package", Text, "Android package and iOS bundle identifier."),
    each("name", Text, "Name under the icon."),
    one("profiles", Free, "EAS build profiles and the environment that each is built against."),
    one("api", Text, "The app that it asks; `backend`, or the only app with a URL, where nothing is said."),
    one("downloads", Text, "The site that hands its builds out; `downloads` where nothing is said."),
    one("keep", Number, "How many builds each environment keeps; 10."),
    one("token", Text, "The secret that holds the token of Expo's account."),
];

pub(crate) const MONITORING: &[Key] = &[
    each(
        "level",
        OneOf(&["none", "basic", "full"]),
        "How much is watched: nothing, whether it answers, or everything; none where nothing is said.",
    ),
    each("alert", Texts, "Where alerts go, of what [notifications] declares: slack, email, webhook."),
    each(
        "quiet",
        Text,
        "Hours of the day, such as `22:00 - 07:00`, in which nobody is told; afterwards what is open still is.",
    ),
    each("escalate", Table(ESCALATE), "Who else is told where nobody acknowledges an alert."),
];

const ESCALATE: &[Key] = &[
    one(
        "after",
        Duration,
        "How long an alert may stay unacknowledged; then it is told again, after twice that once more, and so on.",
    ),
    one("to", Texts, "E-mail addresses that are written to then, beside everybody who was told before."),
];

const TOKEN: Key = one("token", Text, "The secret that holds the token for it.");
const ENDPOINT: Key = one("endpoint", Text, "Where its API is, where that is not the service's own.");

pub(crate) const RAILWAY: &[Key] = &[
    each(
        "project",
        Text,
        "The project there that an environment lives in, by name. One that has none lives on this machine.",
    ),
    each(
        "service",
        Text,
        "What the app is called there; PostgreSQL and Redis are called alike. Their own names where nothing is said.",
    ),
    one("workspace", Text, "The workspace that new projects are made in, by name or id; the token's own."),
    TOKEN,
    ENDPOINT,
];

const CLOUDFLARE: &[Key] = &[
    one("zone", Text, "The DNS zone there."),
    each("address", Text, "The address that sites and apps are reached at; several with commas between."),
    one("ttl", Number, "Time to live in seconds of records that are not proxied, 60 to 86400; Cloudflare's own."),
    one(
        "records",
        Texts,
        "Records beside those of the URLs, as lines of a zone file, such as `@ CAA 0 issue \"letsencrypt.org\"`.",
    ),
    TOKEN,
    ENDPOINT,
];

const GITHUB: &[Key] = &[
    one("repository", Text, "OWNER/NAME of the repository there."),
    each(
        "host",
        Text,
        "The machine with Ambit that workflows hand commits to: `USER@HOST` or `USER@HOST:PORT` of its SSH.",
    ),
    each("host-key", Text, "That machine's public SSH key, the line of its `ssh_host_ed25519_key.pub`."),
    one(
        "ssh-key",
        Text,
        "The secret that holds the private SSH key which Ambit knows there (`ambit ssh key add --name github`).",
    ),
    TOKEN,
    ENDPOINT,
];

const EXPO: &[Key] = &[one("project", Text, "The project there, `@OWNER/SLUG`."), TOKEN, ENDPOINT];

const UPTIMEROBOT: &[Key] = &[TOKEN, ENDPOINT];

const SENTRY: &[Key] = &[
    one("organization", Text, "The organisation there, by its name in URLs."),
    one("project", Text, "The project there, by its name in URLs."),
    TOKEN,
    ENDPOINT,
];

/// The services that something is done with.
pub(crate) const PROVIDERS: &[(&str, &[Key])] = &[
    ("railway", RAILWAY),
    ("cloudflare", CLOUDFLARE),
    ("github", GITHUB),
    ("expo", EXPO),
    ("uptimerobot", UPTIMEROBOT),
    ("sentry", SENTRY),
];

pub(crate) const TLS: &[Key] = &[
    one(
        "acme",
        Text,
        "E-mail address for an account with a certificate authority; with it, the certificates of public hosts are \
         ordered and renewed.",
    ),
    one("directory", Text, "URL of the authority's ACME directory; Let's Encrypt's where nothing is said."),
    one("ca", Text, "File with the certificates that vouch for the directory, where the system's do not."),
];

pub(crate) const NOTIFICATIONS: &[Key] = &[
    each("slack", Text, "The secret that holds the URL of a Slack incoming webhook."),
    each("email", Texts, "Addresses that are written to."),
    each("from", Text, "The address that e-mail comes from."),
    each("smtp", Text, "The secret that holds the mail server, such as `smtps://USER:PASSWORD@HOST:465`."),
    each("webhook", Text, "A URL that is called, or the secret that holds it."),
    each("webhook-secret", Text, "The secret that calls are signed by."),
    each("events", Texts, "What is told, by the names of `templates`; all."),
    one("language", OneOf(&["en", "es"]), "The language of the texts that `templates` does not give; en."),
    one("templates", Table(TEMPLATES), "The team's own texts, with placeholders such as `{environment}`."),
];

const TEMPLATES: &[Key] = &[
    one("deployed", Text, "A release serves."),
    one("failed", Text, "A deployment failed."),
    one("waiting", Text, "A deployment waits for an approval."),
    one("rolled-back", Text, "An environment went back to an earlier release."),
    one("test-build", Text, "QA has something new to test."),
    one("backup-failed", Text, "A backup could not be made, or a drill could not restore it."),
    one("build-published", Text, "A build of the mobile app can be installed."),
    one("qa-rejected", Text, "QA rejected a release or a build of the mobile app."),
    one("drift", Text, "A service around is not as declared any more."),
    one("alert", Text, "Monitoring found something wrong."),
    one("resolved", Text, "What an alert told of is over."),
    one("over-budget", Text, "The environments cost more than `costs.budget`."),
];

/// The keys of `[costs]` that are no environment's.
pub(crate) const COSTS: &[Key] = &[
    one(
        "budget",
        Number,
        "What may be paid. `ambit cost` fails where the recommended total is over it, and the team is told once a month.",
    ),
    one("shared", Prices, "What all environments share."),
    one("host", PricesEach, "What an environment costs besides where it lives on this machine."),
    one("railway", PricesEach, "What an environment costs besides where it lives at Railway."),
    one(
        "stated",
        Named(STATED),
        "Totals that somebody wrote down, by any name. `ambit cost` says where the line items disagree.",
    ),
];

pub(crate) const STATED: &[Key] = &[
    one("of", TextOrTexts, "The environments and shared items that it sums up; everything where nothing is said."),
    one("minimum", Amount, "The total of the least prices."),
    one("recommended", Amount, "The total of the recommended prices."),
    one("paid", Amount, "The total with every paid plan."),
];

/// What stands in the table of an environment's costs.
const LINE_ITEM: &[Key] = &[one("NAME", Price, "A line item: a service or anything else that is paid for.")];

pub(crate) const SECTIONS: &[Section] = &[
    Section { header: "", about: "What one file declares.", keys: TOP },
    Section { header: "environments.NAME", about: "An environment.", keys: ENVIRONMENT },
    Section {
        header: "services.NAME (an app)",
        about: "A process of its own. What is missing is detected from its folder.",
        keys: APP,
    },
    Section { header: "services.NAME (a site)", about: "Files that the proxy serves.", keys: SITE },
    Section { header: "services.postgres", about: "A PostgreSQL for each environment.", keys: POSTGRES },
    Section { header: "services.redis", about: "A Redis for each environment.", keys: REDIS },
    Section {
        header: "variables.NAME",
        about: "A variable in its long form; `NAME = value` is the short one.",
        keys: VARIABLE,
    },
    Section { header: "secrets.NAME", about: "A secret; its values live in ambit.secrets.", keys: SECRET },
    Section { header: "mobile", about: "The mobile app.", keys: MOBILE },
    Section { header: "monitoring", about: "What is watched.", keys: MONITORING },
    Section {
        header: "providers.railway",
        about: "Where an environment's apps and servers live at Railway.",
        keys: RAILWAY,
    },
    Section { header: "providers.cloudflare", about: "The zone of the project's names.", keys: CLOUDFLARE },
    Section { header: "providers.github", about: "The project's repository.", keys: GITHUB },
    Section { header: "providers.expo", about: "Where the mobile app is built.", keys: EXPO },
    Section { header: "providers.uptimerobot", about: "Who watches from outside.", keys: UPTIMEROBOT },
    Section { header: "providers.sentry", about: "Where errors go.", keys: SENTRY },
    Section { header: "costs", about: "What is paid, in US dollars a month.", keys: COSTS },
    Section {
        header: "costs.ENVIRONMENT",
        about: "What an environment costs wherever it lives. `[costs.shared]`, `[costs.host.ENVIRONMENT]` and \
                `[costs.railway.ENVIRONMENT]` hold the same.",
        keys: LINE_ITEM,
    },
    Section { header: "tls", about: "Where the certificates of public hosts come from.", keys: TLS },
    Section { header: "notifications", about: "Who is told.", keys: NOTIFICATIONS },
];

/// Sections of the file by their first word, with what they are for.
pub(crate) const ROOTS: &[(&str, &str)] = &[
    ("environments", "The environments."),
    ("services", "Apps, sites, postgres and redis."),
    ("variables", "What processes find in their environment."),
    ("secrets", "Variables whose values are encrypted in ambit.secrets."),
    ("mobile", "The mobile app."),
    ("monitoring", "What is watched and who is alerted."),
    ("costs", "What is paid, as line items in US dollars a month."),
    ("providers", "The same picture at services elsewhere."),
    ("tls", "Where the certificates of public hosts come from."),
    ("notifications", "Who is told of deployments."),
];
