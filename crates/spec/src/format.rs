//! The format of `ambit.toml`, said once: what sections and keys there are, what they take and what they are for. The
//! reader takes its known keys, types and bounds from here, `ambit schema` its schema, and `docs/ambit-toml.md` its tables.

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Takes {
    Text,
    Texts,
    TextOrTexts,
    /// A path below the project's folder.
    Path,
    Bool,
    /// A whole number within bounds.
    Whole(i64, i64),
    /// Any number within bounds.
    Number(f64, f64),
    Size,
    Duration,
    /// Text, number or bool: what a process is given as text.
    Scalar,
    OneOf(&'static [&'static str]),
    /// A list of these.
    Several(&'static [&'static str]),
    /// A table with these keys.
    Table(&'static [Key]),
    /// Either text or a table with these keys.
    TextOrTable(&'static [Key]),
    /// A table whose keys the team chooses.
    Named(&'static Takes),
    /// As `Named`, and each value may be a table with one for each environment.
    NamedEach(&'static Takes),
    /// Two numbers.
    Range,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    /// Whether it may be a table with one value for each environment.
    pub(crate) per_environment: bool,
    /// Whether its table means nothing without it.
    pub(crate) needed: bool,
    pub(crate) about: &'static str,
}

impl Key {
    /// The keys of the long form that its value may have beside a table per environment.
    pub(crate) fn long_form(&self) -> &'static [Self] {
        match self.takes {
            Takes::Table(keys) | Takes::TextOrTable(keys) => keys,
            _ => &[],
        }
    }
}

const fn one(name: &'static str, takes: Takes, about: &'static str) -> Key {
    Key { name, takes, per_environment: false, needed: false, about }
}

const fn each(name: &'static str, takes: Takes, about: &'static str) -> Key {
    Key { name, takes, per_environment: true, needed: false, about }
}

const fn needed(key: Key) -> Key {
    Key { needed: true, ..key }
}

use Takes::{
    Bool, Duration, Named, NamedEach, Number, OneOf, Path, Range, Scalar, Several, Size, Table, Text, TextOrTable,
    TextOrTexts, Texts, Whole,
};

const ONLY: Key = one("only", Texts, "The environments that have it; all where nothing is said.");
const URL: Key = each(
    "url",
    TextOrTexts,
    "Where people reach it: `api.@`, `@/docs`. `@` is the domain; the first one is `${NAME.url}`.",
);
const PORT: Key = each("port", Whole(1, 65_535), "A fixed port; otherwise a free one is chosen.");
const TOKEN: Key = one(
    "token",
    Text,
    "Name of the value in ambit.secrets that opens it; NAME_TOKEN where nothing is said. No process is given it.",
);

pub(crate) const TOP: &[Key] = &[
    needed(one("project", Text, "Name of the project: lower-case letters, digits and hyphens.")),
    one("domain", Text, "The public domain that `@` stands for in a `url`. On this machine it is PROJECT.localhost."),
    one("timezone", Text, "Time zone of freezes and schedules, such as `America/Bogota`; UTC where nothing is said."),
    each("recipients", Texts, "age public keys that the secrets are encrypted to."),
];

/// What a deployment may have to pass: the ten lines of the checklist before production.
pub(crate) const GATES: &[&str] = &[
    "tests",
    "qa",
    "bugs",
    "migrations",
    "backup",
    "changelog",
    "documentation",
    "variables",
    "monitoring",
    "rollback",
];

pub(crate) const ENVIRONMENT: &[Key] = &[
    one(
        "kind",
        OneOf(&["development", "staging", "production"]),
        "What it is for. Known by itself for dev, test and prod (and development, staging and production).",
    ),
    one("branch", Text, "The branch whose head it runs. Without branch and tag it runs the files as they stand."),
    one("tag", Text, "It runs the newest tag that matches this pattern and is on the branch (main)."),
    one("deploy", OneOf(&["auto", "manual"]), "Whether a push deploys by itself: auto, but manual for production."),
    one("approvers", Texts, "Who may say yes to a deployment, by e-mail address or handle (`@ana`)."),
    one("approval-expires", Duration, "How long a yes holds; 24h where nothing is said."),
    one("author-may-approve", Bool, "Whether the author of a change may approve it."),
    one(
        "freeze",
        Texts,
        "Times in which nothing is deployed: `Fri 16:00 - Mon 08:00` each week, `2026-12-20 - 2027-01-06` once.",
    ),
    one("hotfix", Text, "Branches that may go straight here with the shorter gate list, such as `hotfix/*`."),
    one("gates", Several(GATES), "What a deployment has to pass. Production: all of them; elsewhere: tests."),
    one("seed", Bool, "Whether a new database is filled by the seed. Never in production."),
    one("clean", Duration, "How often it is reset: `weekly`, `daily` or a time. Never in production."),
    one("data", Table(DATA), "Where its data is copied from."),
    one("backup", Table(BACKUP), "How it is backed up."),
    one("keep-releases", Whole(1, 1000), "How many releases stay for a rollback; 5 where nothing is said."),
    one("soak", Duration, "How long a new release is watched before it counts as good; 5m where nothing is said."),
    one("max-error-rate", Number(0.0, 100.0), "Share of failed requests, in percent, that rolls a deployment back; 1."),
];

const DATA: &[Key] = &[
    needed(one("from", Text, "The environment that is read.")),
    one("masked", Bool, "Whether personal values are replaced; true where nothing is said. Production's always are."),
];

const BACKUP: &[Key] = &[
    needed(one("every", Duration, "Time between two backups.")),
    one("keep", Duration, "How long one is kept."),
    one("point-in-time", Bool, "Whether any moment within `keep` can be restored."),
    one("to", Text, "Where backups go: a folder, or s3:// or sftp://."),
];

pub(crate) const APP: &[Key] = &[
    one("source", Path, "Its folder, relative to ambit.toml; `.` where nothing is said."),
    one("kind", OneOf(&["web", "worker"]), "Whether it answers HTTP on PORT (web) or runs and answers nobody."),
    one("schedule", Text, "Cron expression (minute, hour, day, month, weekday) of a job that runs and ends."),
    each("build", Text, "Shell command that builds it."),
    each("run", Text, "Shell command that starts it."),
    each("migrate", Text, "Shell command that brings the database up to date, before the new version starts."),
    each("seed", Text, "Shell command that fills a new database."),
    each("test", Text, "Shell command that tests it."),
    each("health", TextOrTable(HEALTH), "Path that answers 200 when it is ready."),
    each("instances", Whole(1, 64), "How many run side by side."),
    PORT,
    each("memory", Size, "Memory limit, such as `512MB`."),
    each("cpus", Number(0.01, 1024.0), "Processor limit in cores."),
    URL,
    ONLY,
];

const HEALTH: &[Key] = &[
    needed(one("path", Text, "Path of a GET.")),
    one("status", Whole(100, 599), "Status that counts as healthy; 200 where nothing is said."),
    one("deadline", Duration, "How long a new instance has to become healthy; 60s where nothing is said."),
];

pub(crate) const SITE: &[Key] = &[
    needed(one("static", Path, "The folder that is served, relative to ambit.toml.")),
    one("source", Path, "The folder that `build` runs in, where one builds it."),
    each("build", Text, "Shell command that makes the folder."),
    one("expose", Texts, "Variables that its pages may read. Never secrets."),
    one("single-page", Bool, "Whether unknown paths answer index.html."),
    URL,
    ONLY,
];

pub(crate) const POSTGRES: &[Key] = &[
    each("version", Whole(14, 18), "Major version, 14 to 18; the newest on the machine where nothing is said."),
    each("database", Text, "Name of the database; PROJECT-ENVIRONMENT where nothing is said."),
    PORT,
    each("memory", Size, "Memory that it may plan with."),
    one("settings", Named(&Scalar), "Settings of the server, checked by PostgreSQL itself."),
    ONLY,
];

pub(crate) const REDIS: &[Key] = &[
    each(
        "persist",
        OneOf(&["none", "snapshot", "append-only"]),
        "What survives a restart. Development: none; staging: snapshot; production: append-only.",
    ),
    PORT,
    each("memory", Size, "Most memory that data may take."),
    ONLY,
];

pub(crate) const VARIABLE: &[Key] = &[
    each("value", Scalar, "The value; may name others as `${…}`."),
    each("generate", Whole(8, 1024), "That many random letters and digits, made once for each environment."),
    each("required", Bool, "Whether an empty or absent value is refused."),
    each("min-length", Whole(1, 65_536), "Fewest characters."),
    each("one-of", Texts, "The only values allowed."),
    each("url", Bool, "Whether it has to be a URL."),
    one("services", Texts, "The services that get it; all where nothing is said."),
    ONLY,
];

pub(crate) const SECRET: &[Key] = &[
    each("required", Bool, "Whether it has to be set; true where nothing is said."),
    each("min-length", Whole(1, 65_536), "Fewest characters."),
    each("one-of", Texts, "The only values allowed."),
    each("url", Bool, "Whether it has to be a URL."),
    one("services", Texts, "The services that get it; all where nothing is said."),
    ONLY,
];

pub(crate) const MOBILE: &[Key] = &[
    one("source", Path, "Its folder; `mobile` where nothing is said."),
    needed(each("package", Text, "Android package and iOS bundle identifier.")),
    each("name", Text, "Name under the icon; the project's where nothing is said."),
    each("icon", Path, "Its icon, relative to `source`."),
    one("profiles", Named(&TextOrTable(PROFILE)), "EAS build profiles and the environment that each is built against."),
];

pub(crate) const PROFILE: &[Key] = &[
    needed(one("environment", Text, "The environment whose addresses it is built with.")),
    one(
        "distribution",
        OneOf(&["internal", "store"]),
        "Who gets it. The profile `production`: store; others: internal.",
    ),
    one("client", Bool, "Whether it is a development client; so for environments of the kind development."),
    one("android", OneOf(&["apk", "aab"]), "What is built for Android; apk where nothing is said."),
];

/// Where people are told.
pub(crate) const CHANNELS: &[&str] = &["slack", "email", "webhook"];

pub(crate) const MONITORING: &[Key] = &[
    each("level", OneOf(&["none", "basic", "full"]), "How much is watched."),
    each("alert", Several(CHANNELS), "Where alerts go; set up in [notifications]."),
];

pub(crate) const NOTIFICATIONS: &[Key] = &[
    each("slack", Text, "Name of the value in ambit.secrets that is a Slack incoming webhook."),
    each("email", Texts, "Addresses that are written to."),
    each("webhook", Text, "A URL that is called."),
];

const ADDRESS: Key = each("address", Text, "What DNS records point to: an IP address or a host name.");

/// A service elsewhere that part of the picture lives at.
pub(crate) struct Elsewhere {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [Key],
}

pub(crate) const PROVIDERS: &[Elsewhere] = &[
    Elsewhere {
        name: "host",
        about: "The machine that ambit itself runs on, as the world reaches it.",
        keys: &[ADDRESS],
    },
    Elsewhere {
        name: "railway",
        about: "Backends and their servers at Railway.",
        keys: &[
            each("project", Text, "The project there."),
            one("services", NamedEach(&Text), "The services there, by their name here. What is not named stays here."),
            each("plan", Text, "The size that is paid for."),
            ADDRESS,
            TOKEN,
        ],
    },
    Elsewhere {
        name: "kubernetes",
        about: "An existing cluster.",
        keys: &[each("context", Text, "The context of the kubeconfig."), each("namespace", Text, "The namespace.")],
    },
    Elsewhere {
        name: "cloudflare",
        about: "DNS. Records derive from the URLs.",
        keys: &[
            one("zone", Text, "The zone; the domain where nothing is said."),
            one("proxied", Texts, "The services that are reached through its proxy; sites where nothing is said."),
            TOKEN,
        ],
    },
    Elsewhere {
        name: "github",
        about: "Where the code is, and its workflows.",
        keys: &[
            needed(one("repository", Text, "OWNER/NAME of the repository.")),
            one(
                "protect",
                Named(&OneOf(&["review", "pull-request", "open"])),
                "How a branch is changed: by a reviewed pull request, by any pull request, or by a push.",
            ),
            TOKEN,
        ],
    },
    Elsewhere {
        name: "expo",
        about: "Builds of the mobile app.",
        keys: &[
            one("account", Text, "The account or organisation."),
            one("slug", Text, "The project there; the project's name where nothing is said."),
            TOKEN,
        ],
    },
    Elsewhere {
        name: "sentry",
        about: "Errors of apps.",
        keys: &[
            one("organization", Text, "The organisation."),
            each("project", Text, "The project there."),
            each("traces", Number(0.0, 1.0), "Share of requests that are traced."),
            TOKEN,
        ],
    },
    Elsewhere {
        name: "uptimerobot",
        about: "Whether public URLs answer, asked from outside.",
        keys: &[each("every", Duration, "Time between two checks; 5m where nothing is said."), TOKEN],
    },
];

/// One section of the file.
pub(crate) struct Section {
    /// Its header; `NAME` stands for a name that the team chooses.
    pub(crate) header: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [Key],
}

/// Every section, in the order of the reference. [`PROVIDERS`] follow.
pub(crate) const SECTIONS: &[Section] = &[
    Section { header: "", about: "What one file declares.", keys: TOP },
    Section { header: "environments.NAME", about: "An environment.", keys: ENVIRONMENT },
    Section {
        header: "services.NAME (an app)",
        about: "A process of its own. What is missing is detected from its folder.",
        keys: APP,
    },
    Section {
        header: "services.NAME (a site)",
        about: "Files that the proxy serves: a service with `static`.",
        keys: SITE,
    },
    Section { header: "services.postgres", about: "A PostgreSQL for each environment.", keys: POSTGRES },
    Section { header: "services.redis", about: "A Redis for each environment.", keys: REDIS },
    Section {
        header: "variables.NAME",
        about: "A variable in its long form; `NAME = value` is the short one.",
        keys: VARIABLE,
    },
    Section { header: "secrets.NAME", about: "A secret; its values live in ambit.secrets.", keys: SECRET },
    Section { header: "mobile", about: "The mobile app.", keys: MOBILE },
    Section {
        header: "mobile.profiles.NAME",
        about: "A build profile in its long form; `NAME = \"prod\"` is the short one.",
        keys: PROFILE,
    },
    Section { header: "monitoring", about: "What is watched.", keys: MONITORING },
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
    ("notifications", "Who is told of deployments and alerts, and where."),
    ("costs", "Line items of each environment's monthly cost in US dollars: minimum and recommended."),
    ("providers", "The same picture at services elsewhere."),
];

/// A line item of `[costs.ENVIRONMENT]`.
pub(crate) const COST: Takes = Range;

/// Words that no environment may be called by: a table per environment and a long form would look the same.
pub(crate) fn is_long_form_key(word: &str) -> bool {
    let inner = SECTIONS
        .iter()
        .flat_map(|s| s.keys)
        .chain(PROVIDERS.iter().flat_map(|p| p.keys))
        .filter(|k| k.per_environment)
        .flat_map(Key::long_form);
    VARIABLE.iter().chain(SECRET).chain(inner).any(|k| k.name == word)
}
