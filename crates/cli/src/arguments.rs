//! What can be typed.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ambit_domain::{Placement, access::Role, outside::Place, spec::ProjectName};
use clap::{Parser, Subcommand, ValueEnum};

/// Development, test and production from one file.
#[derive(Parser)]
#[command(
    name = "ambit",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 done · 1 failed · 2 wrong arguments · 3 the machine lacks or blocks something · 4 ambit.toml or \
ambit.secrets is wrong · 5 the app's own code failed · 6 not found · 130 interrupted\n\n\
Begin with:  ambit init && ambit up"
)]
pub(crate) struct Arguments {
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The folder of the project; the one that you are in, or one above it, where nothing is said.
    #[arg(short = 'C', long, global = true, value_name = "FOLDER")]
    pub(crate) directory: Option<PathBuf>,
    /// Ask the dashboard at this address instead of this machine, with the token in AMBIT_TOKEN.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) remote: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What a plan is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanPart {
    /// The environments on this machine.
    Here,
    /// What lives at Railway.
    Railway,
    /// The DNS zone at Cloudflare.
    Dns,
    /// The repository at GitHub.
    Github,
    /// The workflows' files in this folder.
    Workflows,
    /// Variables of builds at Expo.
    Expo,
    /// Monitors.
    Uptimerobot,
}

impl PlanPart {
    /// The service; none for this machine.
    pub(crate) fn place(self) -> Option<Place> {
        Some(match self {
            Self::Here => return None,
            Self::Railway => Place::Railway,
            Self::Dns => Place::Dns,
            Self::Github => Place::Github,
            Self::Workflows => Place::Workflows,
            Self::Expo => Place::Expo,
            Self::Uptimerobot => Place::Uptimerobot,
        })
    }
}

/// Where something is deployed to.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DeployTo {
    /// This machine.
    Host,
    /// Railway.
    Railway,
}

impl From<DeployTo> for Placement {
    fn from(to: DeployTo) -> Self {
        match to {
            DeployTo::Host => Self::Host,
            DeployTo::Railway => Self::Railway,
        }
    }
}

/// A service around.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnyPlace(pub(crate) Place);

impl std::str::FromStr for AnyPlace {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = || Place::ALL.map(Place::name).join(", ");
        Place::ALL.into_iter().find(|p| p.name() == word).map(Self).ok_or_else(|| format!("one of: {}", known()))
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write an ambit.toml for the folder that you are in.
    #[command(after_help = "Examples:\n  ambit init\n  ambit init --print   # look at it first")]
    Init {
        /// Print it and write nothing.
        #[arg(long)]
        print: bool,
    },
    /// Tell everything that is wrong with ambit.toml, the secrets and the tracked files.
    #[command(after_help = "Examples:\n  ambit check\n  ambit check --json   # for an editor or a pipeline")]
    Check,
    /// The pipeline at GitHub.
    #[command(subcommand, after_help = "Examples:\n  ambit ci github\n  ambit ci github --check")]
    Ci(CiCommand),
    /// Print the JSON Schema of ambit.toml for editors.
    #[command(
        after_help = "Example:\n  ambit schema > ambit.schema.json   # and put `#:schema ambit.schema.json` first in ambit.toml"
    )]
    Schema,
    /// Show what `up` and `apply` would do; exit code 2 where that is anything.
    #[command(
        after_help = "Examples:\n  ambit plan\n  ambit plan prod\n  ambit plan --only dns --out dns.plan   # then: ambit apply dns.plan"
    )]
    Plan {
        /// Environments; all where none is named.
        environments: Vec<String>,
        /// The same.
        #[arg(short = 'e', long = "env", value_name = "ENVIRONMENT")]
        named: Vec<String>,
        /// Look at these alone.
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<PlanPart>,
        /// Keep the plan of the services elsewhere in a file, for `ambit apply FILE`.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Make the services elsewhere as they are declared, after a yes.
    #[command(
        after_help = "Examples:\n  ambit apply             # shows the plan and asks\n  ambit apply dns.plan    # exactly what was looked at; refused where that is out of date"
    )]
    Apply {
        /// A plan that `ambit plan --out` kept.
        plan: Option<PathBuf>,
        /// These services alone.
        #[arg(long, value_delimiter = ',', conflicts_with = "plan")]
        only: Vec<AnyPlace>,
        /// What is of these environments alone.
        #[arg(short, long = "env", value_name = "ENVIRONMENT", conflicts_with = "plan")]
        environments: Vec<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// A name that is asked for where much would be deleted, or data.
        #[arg(long, value_name = "NAME")]
        confirm: Vec<String>,
    },
    /// Take over what exists elsewhere where the declaration needs it; what it says stays as it is.
    #[command(after_help = "Example:\n  ambit import --only dns && ambit plan --only dns")]
    Import {
        /// These services alone.
        #[arg(long, value_delimiter = ',')]
        only: Vec<AnyPlace>,
        /// What is of these environments alone.
        #[arg(short, long = "env", value_name = "ENVIRONMENT")]
        environments: Vec<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Show how far the project is on the way to three environments, and the next step.
    #[command(after_help = "Example:\n  ambit guide")]
    Guide,
    /// Run the daemon as a service of this machine (systemd), now and whenever it starts.
    #[command(
        after_help = "Examples:\n  ambit install --print   # the unit, and what would be done\n  sudo ambit install\n  sudo ambit install --remove   # what runs goes on, data stays"
    )]
    Install {
        /// Print the unit and change nothing.
        #[arg(long, conflicts_with = "remove")]
        print: bool,
        /// Take the service away.
        #[arg(long)]
        remove: bool,
    },
    /// Look at everything between a phone and the database; tell what is wrong and what mends it. Exit code 1 where something is.
    #[command(after_help = "Examples:\n  ambit doctor\n  ambit doctor prod   # this environment, and what it needs")]
    Doctor {
        /// Environments; those that are on this machine where none is named.
        environments: Vec<String>,
    },
    /// Show what the environments cost each month, and what they take of this machine; exit code 1 where it is over the budget.
    #[command(after_help = "Examples:\n  ambit cost\n  ambit cost --json   # amounts in cents")]
    Cost,
    /// Run simulated services around on this machine, to try plan and apply without an account.
    #[command(
        after_help = "Example:\n  ambit simulate &\n  export AMBIT_SIMULATE=http://127.0.0.1:8700\n  ambit plan && ambit apply && ambit plan\n\nWhile AMBIT_SIMULATE is set, no real service is asked and no real token leaves this machine."
    )]
    Simulate {
        /// The port on this machine.
        #[arg(long, default_value_t = 8700)]
        port: u16,
    },
    /// Print the DNS records that the declared URLs need.
    #[command(
        after_help = "Examples:\n  ambit dns\n  ambit dns --zone-file   # for a zone that is held elsewhere than at Cloudflare"
    )]
    Dns {
        /// As a zone file (RFC 1035).
        #[arg(long)]
        zone_file: bool,
    },
    /// Bring environments up as they are declared.
    #[command(
        after_help = "Examples:\n  ambit up            # all environments\n  ambit up dev test   # these two\n  ambit up prod       # also puts new code into production"
    )]
    Up {
        /// Environments; all where none is named.
        environments: Vec<String>,
        /// Where the proxy listens from now on.
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
        /// Where the proxy takes TLS from now on, or `off`.
        #[arg(long, value_name = "ADDRESS:PORT", value_parser = address_or_off)]
        listen_tls: Option<ListenTls>,
    },
    /// Put a commit into an environment: tested, built, approved, switched without a lost request.
    #[command(
        after_help = "Examples:\n  ambit deploy -e dev\n  ambit deploy -e prod --ref v1.2.0 --reason \"release 1.2\"\n  ambit deploy -e prod --wait   # until it was watched for its time"
    )]
    Deploy {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// A branch, a tag or a commit; what the environment follows where nothing is said.
        #[arg(long = "ref", value_name = "REF")]
        reference: Option<String>,
        /// Where to: `host` is this machine. Where it runs, else where it is declared to live, where nothing is said.
        #[arg(long, value_enum, value_name = "PLACE")]
        to: Option<DeployTo>,
        #[command(flatten)]
        following: Following,
    },
    /// Put the release that one environment runs into another: the very same builds.
    #[command(after_help = "Example:\n  ambit promote test prod --reason \"release 1.2\"")]
    Promote {
        /// The environment that runs the release.
        from: String,
        /// The environment that is to run it.
        to: String,
        #[command(flatten)]
        following: Following,
    },
    /// Move an environment from this machine to Railway or back, with its data.
    #[command(
        after_help = "Examples:\n  ambit move -e test --to railway --plan   # what would be done, and how much data there is\n  ambit move -e test --to host\n  ambit move -e prod --to host --confirm prod"
    )]
    Move {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// Where to.
        #[arg(long, value_enum)]
        to: DeployTo,
        /// Show what would be done, and change nothing.
        #[arg(long)]
        plan: bool,
        /// Its name once more: production asks for it.
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
    /// Go back to a release that ran before, without building anything.
    #[command(
        after_help = "Examples:\n  ambit rollback prod\n  ambit rollback prod --to v1.1.4 --reason \"login fails\"\n  ambit rollback prod --restore   # and put the data from before back"
    )]
    Rollback {
        /// The environment.
        environment: String,
        /// A version, a commit, a release or the number of a deployment; the one before where nothing is said.
        #[arg(long)]
        to: Option<String>,
        /// Also put back the data from before the deployment that is taken back.
        #[arg(long)]
        restore: bool,
        /// Say yes to what cannot come back, instead of being asked.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        following: Following,
    },
    /// Say yes to a waiting deployment.
    #[command(after_help = "Example:\n  ambit approve 41 --reason \"tried on three phones\"")]
    Approve {
        /// The deployment's number.
        deployment: u64,
        #[command(flatten)]
        following: Following,
    },
    /// Say no to a waiting deployment.
    #[command(after_help = "Example:\n  ambit reject 41 --reason \"login fails on iOS\"")]
    Reject {
        /// The deployment's number.
        deployment: u64,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Show the checklist of the deployment that waits, waive an item of it, or sign one.
    #[command(
        after_help = "Examples:\n  ambit gates prod\n  ambit gates prod --sign issues \"no critical issue is open\"\n  ambit gates prod --waive docs \"nothing to document\""
    )]
    Gates {
        /// The environment.
        environment: String,
        /// Take responsibility for a gate that did not pass.
        #[arg(long, num_args = 2, value_names = ["GATE", "REASON"], conflicts_with = "sign")]
        waive: Option<Vec<String>>,
        /// Sign a gate that no machine can look at.
        #[arg(long, num_args = 2, value_names = ["GATE", "WHAT"])]
        sign: Option<Vec<String>>,
    },
    /// Say what QA found in a release, or in a build of the mobile app.
    #[command(
        after_help = "Examples:\n  ambit qa approve -e test \"tried on three phones\"   # the release that test runs\n  ambit qa approve test-42 --note \"tried on three phones\"\n  ambit qa reject test-42 --note \"login fails on Android 12\""
    )]
    Qa {
        /// Yes or no.
        #[arg(value_enum)]
        verdict: QaVerdict,
        /// The id of a build or of a release; the release that the environment runs where nothing is said.
        #[arg(value_name = "BUILD|RELEASE", required_unless_present = "environment")]
        about: Option<String>,
        /// The note, as after --note.
        #[arg(value_name = "NOTE")]
        said: Option<String>,
        /// What was tried, or what is wrong.
        #[arg(long, allow_hyphen_values = true)]
        note: Option<String>,
        /// The environment in which it was tried.
        #[arg(short, long = "env")]
        environment: Option<String>,
    },
    /// The mobile app: what Expo builds it by, its builds, and handing them to testers.
    #[command(
        subcommand,
        after_help = "Examples:\n  ambit mobile sync\n  ambit mobile publish app.apk -e test\n  ambit mobile builds -e test"
    )]
    Mobile(MobileCommand),
    /// List deployments.
    #[command(after_help = "Example:\n  ambit deployments -e prod -n 5")]
    Deployments {
        /// The environment; all where none is named.
        #[arg(short, long = "env")]
        environment: Option<String>,
        /// How many.
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: usize,
    },
    /// Show one deployment, its log, or take it back while it waits.
    #[command(subcommand, after_help = "Example:\n  ambit deployment show 41")]
    Deployment(DeploymentCommand),
    /// List scheduled jobs, when they run next and how they ended.
    #[command(after_help = "Example:\n  ambit jobs")]
    Jobs,
    /// List releases and where they run.
    #[command(after_help = "Example:\n  ambit releases")]
    Releases,
    /// Show what one environment runs that another does not.
    #[command(after_help = "Example:\n  ambit diff test prod")]
    Diff {
        /// The one that is ahead.
        from: String,
        /// The one that it is compared with.
        to: String,
    },
    /// Run the migrations of the release that an environment runs, or look at them.
    #[command(after_help = "Examples:\n  ambit migrate -e dev\n  ambit migrate status -e prod")]
    Migrate {
        /// `status` shows what has run and changes nothing.
        #[arg(value_enum)]
        what: Option<MigrateWhat>,
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
    },
    /// Copy an environment's database, list copies, or put one back.
    #[command(subcommand, after_help = "Example:\n  ambit restore-point make -e prod")]
    RestorePoint(RestorePointCommand),
    /// Run the migrations of a release on a masked scratch copy of an environment's data, and tell what would hurt.
    #[command(
        after_help = "Examples:\n  ambit rehearse\n  ambit rehearse -e prod --release 3f2a91   # exit code 1 where it failed or would hurt"
    )]
    Rehearse {
        /// The environment.
        #[arg(short, long = "env", default_value = "prod")]
        environment: String,
        /// The release, by the first digits of its id; the newest where nothing is said.
        #[arg(long)]
        release: Option<String>,
    },
    /// Fill an environment's database with what is made up for development.
    #[command(after_help = "Example:\n  ambit seed -e dev")]
    Seed {
        /// The environment; never one of production.
        #[arg(short, long = "env")]
        environment: String,
    },
    /// Give an environment a new database, filled where it is declared to be, after its name was typed.
    #[command(after_help = "Examples:\n  ambit reset -e dev\n  ambit reset -e dev --confirm dev   # in a script")]
    Reset {
        /// The environment; never one of production.
        #[arg(short, long = "env")]
        environment: String,
        /// Its name once more, instead of typing it.
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
    /// Work with data: masked copies of it, snapshots to go back and forth between, archives to take out and bring in.
    #[command(
        subcommand,
        after_help = "Examples:\n  ambit data copy prod test\n  ambit data snapshot -e dev before-import"
    )]
    Data(DataCommand),
    /// Copies of an environment's servers that can be restored, and what proves them.
    #[command(subcommand, after_help = "Examples:\n  ambit backup now -e prod\n  ambit backup list -e prod")]
    Backup(BackupCommand),
    /// Restore an environment's PostgreSQL beside the one that serves, and put it in its place after a yes.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  ambit restore -e prod --to \"2026-11-24 10:05\"\n  ambit restore -e prod --to \"2026-11-24 10:05\" --into look   # beside, to look at\n  ambit restore -e prod --backup 20261124-060002F\n  ambit restore list -e prod"
    )]
    Restore {
        #[command(subcommand)]
        command: Option<RestoreCommand>,
        #[command(flatten)]
        what: RestoreArguments,
    },
    /// Show how often, how fast and how well is delivered.
    #[command(after_help = "Example:\n  ambit delivery --days 90")]
    Delivery {
        /// The environment; production where nothing is said.
        #[arg(short, long = "env")]
        environment: Option<String>,
        /// Over how many days.
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
    /// Stop environments; their data is kept.
    #[command(after_help = "Examples:\n  ambit down          # all environments\n  ambit down dev")]
    Down {
        /// Environments; all where none is named.
        environments: Vec<String>,
    },
    /// Delete an environment with its data, after its name was typed.
    #[command(after_help = "Examples:\n  ambit destroy dev\n  ambit destroy dev --confirm dev   # in a script")]
    Destroy {
        /// The environment.
        environment: String,
        /// Its name once more, instead of typing it.
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
    /// Show what runs.
    #[command(after_help = "Examples:\n  ambit status\n  ambit status prod --json")]
    Status {
        /// Environments; all where none is named.
        environments: Vec<String>,
    },
    /// Show what monitoring found wrong, or take an alert on.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  ambit alerts\n  ambit alerts --all -e prod\n  ambit alerts ack 12 --reason \"restarting it\""
    )]
    Alerts {
        #[command(subcommand)]
        command: Option<AlertsCommand>,
        /// The environment; all where none is named.
        #[arg(short, long = "env")]
        environment: Option<String>,
        /// Also what is over.
        #[arg(long)]
        all: bool,
        /// How many of the newest.
        #[arg(short = 'n', long, default_value_t = 50)]
        lines: usize,
    },
    /// Show incidents and what alerts propose, and tell the world of one on the status page.
    #[command(
        after_help = "Examples:\n  ambit incident\n  ambit incident open --alert 12 --text \"We are looking into it.\""
    )]
    Incident {
        #[command(subcommand)]
        command: Option<IncidentCommand>,
    },
    /// Print what is measured, in the text format of Prometheus.
    #[command(after_help = "Example:\n  ambit metrics | grep ambit_url_up")]
    Metrics,
    /// Show what services print.
    #[command(
        after_help = "Examples:\n  ambit logs -e dev backend\n  ambit logs -f\n  ambit logs -e prod --since 1h --level warn --grep 'timeout|refused'"
    )]
    Logs {
        /// Services; all where none is named.
        services: Vec<String>,
        /// The environment; all where none is named.
        #[arg(short, long = "env")]
        environment: Vec<String>,
        /// Go on showing what is printed.
        #[arg(short, long)]
        follow: bool,
        /// How many lines of each instance to begin with, or of what is found the last ones; 50, of what is found all.
        #[arg(short = 'n', long)]
        lines: Option<usize>,
        /// Of this machine, or of Railway; this machine where nothing is said.
        #[arg(long, value_enum, value_name = "PLACE")]
        at: Option<DeployTo>,
        #[command(flatten)]
        search: LogSearchArguments,
    },
    /// Show who did what, when and from where.
    #[command(
        after_help = "Examples:\n  ambit log -e prod\n  ambit log --verify   # exit code 1 where it was tampered with"
    )]
    Log {
        /// The environment; all where none is named.
        #[arg(short, long = "env")]
        environment: Option<String>,
        /// How many of the newest entries.
        #[arg(short = 'n', long, default_value_t = 50)]
        lines: usize,
        /// Check the whole log instead, of all projects.
        #[arg(long, conflicts_with_all = ["environment", "lines"])]
        verify: bool,
    },
    /// Show who was told of deployments, and what did not get there.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  ambit notifications -e prod\n  ambit notifications test -e prod   # sends a trial message"
    )]
    Notifications {
        #[command(subcommand)]
        command: Option<NotificationsCommand>,
        /// The environment; all where none is named.
        #[arg(short, long = "env")]
        environment: Option<String>,
        /// How many of the newest.
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: usize,
    },
    /// Run a command with an environment's variables.
    #[command(after_help = "Example:\n  ambit run -e dev -- npm run console")]
    Run {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Open psql in an environment's database.
    #[command(after_help = "Example:\n  ambit psql -e dev -- -c 'select count(*) from users'")]
    Psql {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// A restored copy instead, by its name in `ambit restore list`.
        #[arg(long, value_name = "NAME")]
        beside: Option<String>,
        /// Arguments for psql.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Open redis-cli in an environment's Redis.
    #[command(after_help = "Examples:\n  ambit redis -e dev\n  ambit redis -e dev -- dbsize")]
    Redis {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// Arguments for redis-cli.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Show where services are reached on this machine.
    #[command(
        after_help = "Examples:\n  ambit url\n  curl \"$(ambit url backend -e dev)/health\"   # of one service in one environment, nothing but the URL"
    )]
    Url {
        /// Services; all where none is named.
        services: Vec<String>,
        /// The environment; all where none is named.
        #[arg(short, long = "env")]
        environment: Vec<String>,
    },
    /// Show an environment's variables.
    #[command(
        after_help = "Examples:\n  ambit env dev\n  ambit env prod --format dotenv --reveal\n  eval \"$(ambit env dev --here --format shell --reveal)\""
    )]
    Env {
        /// The environment.
        environment: String,
        /// Show secrets.
        #[arg(long)]
        reveal: bool,
        /// With the addresses on this machine, as the apps here get them, instead of the public ones.
        #[arg(long)]
        here: bool,
        /// Print for a program.
        #[arg(long, value_enum)]
        format: Option<EnvFormat>,
    },
    /// Keep secrets: encrypted in ambit.secrets, safe to commit.
    #[command(
        after_help = "Examples:\n  ambit secret key --add\n  ambit secret set STRIPE_KEY -e prod\n  ambit secret list"
    )]
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Look after the certificates that the proxy serves.
    #[command(subcommand, after_help = "Example:\n  ambit certificate list")]
    Certificate(CertificateCommand),
    /// Make everything that runs this program: the daemon, the proxy, the keepers. Nothing that they look after is
    /// interrupted.
    #[command(
        after_help = "Examples:\n  ambit upgrade           # after a newer ambit was installed\n  ambit upgrade --force   # also what is of this program already"
    )]
    Upgrade {
        /// Also what is of this program already.
        #[arg(long)]
        force: bool,
    },
    /// Deploy by `git push`.
    #[command(subcommand, after_help = "Example:\n  ambit remote add && git push ambit develop")]
    Remote(RemoteCommand),
    /// Let others push and approve over SSH.
    #[command(subcommand, after_help = "Example:\n  ambit ssh key add --name ana@kaia.ai --write < ana.pub")]
    Ssh(SshCommand),
    /// Deploy what GitHub tells of.
    #[command(subcommand, after_help = "Example:\n  ambit webhook add github")]
    Webhook(WebhookCommand),
    /// Print where the dashboard is, or put it somewhere else.
    #[command(
        after_help = "Examples:\n  ambit dashboard\n  ambit dashboard --host ambit.kaia.ai   # through the proxy"
    )]
    Dashboard {
        /// Listen on this port of 127.0.0.1.
        #[arg(long)]
        port: Option<u16>,
        /// Serve it through the proxy under this host, or `off`.
        #[arg(long)]
        host: Option<String>,
    },
    /// Print a link that signs you in to the dashboard, once.
    #[command(after_help = "Examples:\n  ambit login\n  ambit login --user ana@kaia.ai   # a link for somebody else")]
    Login {
        /// Whom it signs in; you where nobody is named.
        #[arg(long)]
        user: Option<String>,
    },
    /// Who may use the dashboard and the HTTP API, and for what.
    #[command(subcommand, after_help = "Example:\n  ambit user add ana@kaia.ai --role qa")]
    User(UserCommand),
    /// Tokens by which programs use the HTTP API.
    #[command(subcommand, after_help = "Example:\n  ambit token create ci --role developer --expires 90d")]
    Token(TokenCommand),
    /// Print the version.
    #[command(after_help = "Examples:\n  ambit version\n  ambit version --json")]
    Version,
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  ambit completions bash > /etc/bash_completion.d/ambit")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    #[command(hide = true)]
    Manual {
        /// Write a man page for each command into a folder, instead of printing the reference.
        #[arg(long, value_name = "FOLDER")]
        man: Option<PathBuf>,
    },
    /// Run the daemon in the foreground, as a service unit does. `up` starts it by itself.
    #[command(after_help = "Example:\n  ambit daemon   # ExecStart= of a service unit")]
    Daemon,
    #[command(hide = true)]
    Proxy {
        folder: PathBuf,
        #[arg(long)]
        listen: Vec<SocketAddr>,
        #[arg(long)]
        listen_tls: Vec<SocketAddr>,
        #[arg(long)]
        user: Option<String>,
        #[arg(long)]
        take_over: bool,
    },
    #[command(hide = true)]
    Hook {
        #[arg(value_enum)]
        name: HookName,
        project: String,
    },
    #[command(hide = true)]
    Keeper { record: PathBuf },
}

/// Where the proxy takes TLS, if it does.
#[derive(Clone, Copy)]
pub(crate) struct ListenTls(pub(crate) Option<SocketAddr>);

fn address_or_off(text: &str) -> Result<ListenTls, std::net::AddrParseError> {
    if text == "off" { Ok(ListenTls(None)) } else { text.parse().map(|address| ListenTls(Some(address))) }
}

#[derive(Subcommand)]
pub(crate) enum CertificateCommand {
    /// Show the certificates of this machine: from where, until when, and what is wrong.
    #[command(after_help = "Example:\n  ambit certificate list")]
    List,
    /// Serve a certificate of your own, after a look at it. It is yours to replace before it expires.
    #[command(
        after_help = "Examples:\n  ambit certificate add kaia.ai --cert fullchain.pem --key privkey.pem\n  ambit certificate add '*.kaia.ai' --cert wildcard.pem --key wildcard.key"
    )]
    Add {
        /// The host that it is for, or a wildcard such as `*.kaia.ai`.
        host: String,
        /// The host's certificate and then its chain, in PEM.
        #[arg(long, value_name = "FILE")]
        cert: PathBuf,
        /// The private key, in PEM, not encrypted.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Serve a certificate no longer, and forget failed orders. Where ambit.toml says `acme`, one is ordered at once.
    #[command(after_help = "Example:\n  ambit certificate remove kaia.ai")]
    Remove {
        /// The host or wildcard that it was added for.
        host: String,
    },
}

/// What to look for in logs.
#[derive(clap::Args)]
pub(crate) struct LogSearchArguments {
    /// Not before: `15m`, `1h`, `2d` ago, or a moment such as 2026-11-27T10:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = crate::commands::log_moment)]
    pub(crate) since: Option<i64>,
    /// Not after.
    #[arg(long, value_name = "TIME", value_parser = crate::commands::log_moment)]
    pub(crate) until: Option<i64>,
    /// Only lines that match a regular expression.
    #[arg(long, value_name = "REGEX")]
    pub(crate) grep: Option<String>,
    /// Only lines that say they are at least so grave: trace, debug, info, warn, error, fatal.
    #[arg(long, value_parser = level)]
    pub(crate) level: Option<ambit_app::Level>,
    /// Only what a release printed, by the first digits of its build in `ambit status`.
    #[arg(long)]
    pub(crate) release: Option<String>,
}

impl LogSearchArguments {
    /// What is looked for.
    pub(crate) fn query(self) -> ambit_app::LogQuery {
        let Self { since, until, grep, level, release } = self;
        ambit_app::LogQuery { since, until, grep, text: None, level, release }
    }
}

fn level(word: &str) -> Result<ambit_app::Level, String> {
    ambit_app::Level::named(word).ok_or_else(|| "one of: trace, debug, info, warn, error, fatal".to_owned())
}

#[derive(Subcommand)]
pub(crate) enum AlertsCommand {
    /// Take an alert on: it is not told again to further people.
    #[command(after_help = "Example:\n  ambit alerts ack 12 --reason \"restarting it\"")]
    Ack {
        /// The alert's number.
        alert: i64,
        /// What you say about it.
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum IncidentCommand {
    /// Tell on the status page that something is wrong.
    #[command(
        after_help = "Examples:\n  ambit incident open --alert 12 --text \"We are looking into it.\"\n  ambit incident open --title \"Logins fail\" --service backend --text \"Since 10:02. We are looking into it.\""
    )]
    Open {
        /// What is wrong, on one line; that of the alert's proposal where nothing is said.
        #[arg(long, required_unless_present = "alert")]
        title: Option<String>,
        /// What is told first.
        #[arg(long)]
        text: String,
        /// A service that does not work as it should; may be repeated. Those of the alert's proposal where none is named.
        #[arg(long = "service", value_name = "SERVICE", required_unless_present = "alert")]
        services: Vec<String>,
        /// The alert that proposes it.
        #[arg(long)]
        alert: Option<i64>,
    },
    /// Tell more of an incident.
    #[command(after_help = "Example:\n  ambit incident update 3 --text \"It is the database. We restore it.\"")]
    Update {
        /// The incident's number.
        number: i64,
        /// What is told.
        #[arg(long)]
        text: String,
    },
    /// Tell that an incident is over.
    #[command(after_help = "Example:\n  ambit incident resolve 3 --text \"Everything works again.\"")]
    Resolve {
        /// The incident's number.
        number: i64,
        /// What is told.
        #[arg(long)]
        text: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum NotificationsCommand {
    /// Send a trial message everywhere that an environment's notifications go.
    #[command(after_help = "Example:\n  ambit notifications test -e prod")]
    Test {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum SecretCommand {
    /// Make this project's key, where you have none, and print its public half.
    #[command(
        after_help = "Examples:\n  ambit secret key         # send what it prints to a teammate\n  ambit secret key --add"
    )]
    Key {
        /// Add the public half to `recipients` in ambit.toml.
        #[arg(long)]
        add: bool,
    },
    /// Set a secret: typed, from standard input, generated, or many from a dotenv file.
    #[command(
        after_help = "Examples:\n  ambit secret set JWT_SECRET -e prod --generate\n  printf %s \"$TOKEN\" | ambit secret set TOKEN -e dev\n  ambit secret set --from .env -e dev"
    )]
    Set {
        /// Its name.
        #[arg(required_unless_present = "from")]
        name: Option<String>,
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// Make a random one of this many characters.
        #[arg(long, value_name = "LENGTH", num_args = 0..=1, default_missing_value = "48")]
        generate: Option<usize>,
        /// Take the declared secrets out of a dotenv file.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "generate"])]
        from: Option<PathBuf>,
    },
    /// Print a secret.
    #[command(after_help = "Example:\n  ambit secret get STRIPE_KEY -e dev")]
    Get {
        /// Its name.
        name: String,
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
    },
    /// Show which secrets are set where.
    #[command(after_help = "Examples:\n  ambit secret list\n  ambit secret list --json")]
    List,
    /// Replace a secret by a new random one, or, without a name, encrypt everything to the present recipients.
    #[command(
        after_help = "Examples:\n  ambit secret rotate JWT_SECRET -e prod\n  ambit secret rotate              # after `recipients` was changed"
    )]
    Rotate {
        /// Its name.
        name: Option<String>,
        /// The environment.
        #[arg(short, long = "env")]
        environment: Option<String>,
    },
    /// Edit an environment's secrets as a dotenv file in $EDITOR.
    #[command(after_help = "Example:\n  EDITOR=nano ambit secret edit -e dev")]
    Edit {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum EnvFormat {
    Dotenv,
    Json,
    Shell,
}

/// Who wants to know how a deployment goes, and why it is made.
#[derive(clap::Args)]
pub(crate) struct Following {
    /// Why; it stays in the record.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Return at once, without waiting for it to be live.
    #[arg(long, conflicts_with = "wait")]
    pub(crate) detach: bool,
    /// Wait until it was watched for its time, too.
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Subcommand)]
pub(crate) enum MobileCommand {
    /// Write eas.json and app.config.js from ambit.toml.
    #[command(
        after_help = "Examples:\n  ambit mobile sync\n  ambit mobile sync --check   # exit code 4 where a file is not as declared"
    )]
    Sync {
        /// Write nothing; tell what is not as ambit.toml has it.
        #[arg(long, conflicts_with = "force")]
        check: bool,
        /// Write over what was edited by hand.
        #[arg(long)]
        force: bool,
    },
    /// Have Expo build the app, by its command `eas`.
    #[command(
        after_help = "Examples:\n  ambit mobile build --profile preview-test\n  ambit mobile build --profile production --no-wait"
    )]
    Build {
        /// The profile, as [mobile] declares it.
        #[arg(long)]
        profile: String,
        /// For which phones.
        #[arg(long, value_enum, default_value = "android")]
        platform: Platform,
        /// Return once the build is asked for.
        #[arg(long)]
        no_wait: bool,
    },
    /// Put an APK on the downloads site of an environment, and tell QA.
    #[command(
        after_help = "Examples:\n  ambit mobile publish app.apk -e test\n  ambit mobile publish app.apk -e test --changes \"the agenda in dark\"\n  ambit mobile publish app.apk -e prod --commit v1.2.0 --from-changelog"
    )]
    Publish {
        /// The file.
        file: PathBuf,
        /// The environment that it was built against.
        #[arg(short, long = "env")]
        environment: String,
        /// What it was built from: a branch, a tag or a commit; what the environment runs where nothing is said.
        #[arg(long, value_name = "REF")]
        commit: Option<String>,
        /// What changed, a line each; the commits since the build before where nothing is said.
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "from_changelog")]
        changes: Option<String>,
        /// Take what changed from the changelog, under the app's version.
        #[arg(long)]
        from_changelog: bool,
    },
    /// List the builds that were published and what QA said of each, or Expo's own.
    #[command(after_help = "Examples:\n  ambit mobile builds -e test\n  ambit mobile builds -e test --expo")]
    Builds {
        /// The environment; all where none is named.
        #[arg(short, long = "env")]
        environment: Option<String>,
        /// Those that Expo made or makes, published or not.
        #[arg(long)]
        expo: bool,
    },
    /// Wait for a build at Expo, fetch it and put it on the downloads site of an environment.
    #[command(
        after_help = "Examples:\n  ambit mobile fetch --latest -e test\n  ambit mobile fetch 2f1c… -e prod --from-changelog"
    )]
    Fetch {
        #[command(flatten)]
        which: AtExpo,
        /// The environment that it was built against.
        #[arg(short, long = "env")]
        environment: String,
        /// What changed, a line each; the commits since the build before where nothing is said.
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "from_changelog")]
        changes: Option<String>,
        /// Take what changed from the changelog, under the app's version.
        #[arg(long)]
        from_changelog: bool,
    },
    /// Send a finished build of production to the store, by Expo's command `eas`.
    #[command(
        after_help = "Examples:\n  ambit mobile submit --latest -e prod\n  ambit mobile submit 2f1c… -e prod --no-wait"
    )]
    Submit {
        #[command(flatten)]
        which: AtExpo,
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// Return once it is asked for.
        #[arg(long)]
        no_wait: bool,
    },
}

/// A build at Expo.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct AtExpo {
    /// Expo's id of the build, as `ambit mobile builds --expo` shows it.
    build: Option<String>,
    /// The newest one for Android.
    #[arg(long)]
    latest: bool,
}

impl AtExpo {
    /// Which one is meant.
    pub(crate) fn which(self) -> ambit_app::Which {
        self.build.map_or(ambit_app::Which::Latest, ambit_app::Which::Id)
    }
}

/// What an app is built for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Platform {
    /// Android.
    Android,
    /// iOS.
    Ios,
    /// Both.
    All,
}

impl Platform {
    /// As `eas` takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Android => "android",
            Self::Ios => "ios",
            Self::All => "all",
        }
    }
}

#[derive(Subcommand)]
pub(crate) enum CiCommand {
    /// Write .github/workflows/deploy-ENV.yml for each environment that follows a branch or a tag.
    #[command(
        after_help = "Examples:\n  ambit ci github\n  ambit ci github --check               # exit code 4 where a file is not as declared\n  ambit ci github -e prod --target railway\n\nWhat has to be set at GitHub for them: docs/ci.md"
    )]
    Github(GithubWorkflows),
}

#[derive(clap::Args)]
pub(crate) struct GithubWorkflows {
    /// The environments; all where none is named.
    #[arg(short, long = "env")]
    pub(crate) environment: Vec<String>,
    /// Where they run: on a machine with Ambit, or at Railway. What a file that is there says where nothing is said; host
    /// for a new one.
    #[arg(long, value_enum)]
    pub(crate) target: Option<CiTarget>,
    /// Write nothing; tell what is not as ambit.toml has it.
    #[arg(long, conflicts_with = "force")]
    pub(crate) check: bool,
    /// Write over what was edited by hand.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Where an environment runs.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CiTarget {
    /// On a machine with Ambit, which is handed the commit over SSH.
    Host,
    /// At Railway.
    Railway,
}

/// What QA says.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QaVerdict {
    /// It is good.
    Approve,
    /// It is not.
    Reject,
}

/// Other than running migrations.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MigrateWhat {
    /// What has run and what has not.
    Status,
}

#[derive(Subcommand)]
pub(crate) enum DeploymentCommand {
    /// Show its steps and times.
    #[command(after_help = "Example:\n  ambit deployment show 41")]
    Show {
        /// Its number.
        number: u64,
    },
    /// Show what it said, and follow it while it goes on.
    #[command(after_help = "Example:\n  ambit deployment log 41 -f")]
    Log {
        /// Its number.
        number: u64,
        /// Go on until it is finished.
        #[arg(short, long)]
        follow: bool,
    },
    /// Follow the newest deployment of a commit, until it serves, never will, or waits for a person.
    #[command(after_help = "Example:\n  ambit deployment follow -e test $(git rev-parse HEAD)")]
    Follow {
        /// The commit's whole hash.
        commit: String,
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
    },
    /// Take it back, as long as it does not serve.
    #[command(after_help = "Example:\n  ambit deployment cancel 41")]
    Cancel {
        /// Its number.
        number: u64,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum BackupCommand {
    /// Make one now and restore it for trial.
    #[command(after_help = "Example:\n  ambit backup now -e prod")]
    Now {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// This machine, or Railway; without it, this machine where the environment runs here, else where it lives.
        #[arg(long, value_enum, value_name = "PLACE")]
        at: Option<DeployTo>,
    },
    /// List them: proven, unproven or failed, and the moments that can be restored.
    #[command(after_help = "Example:\n  ambit backup list -e prod")]
    List {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
    },
    /// Show one with what its drill found.
    #[command(after_help = "Example:\n  ambit backup show 20261124-060002F -e prod")]
    Show {
        /// Its name; the newest where nothing is said.
        name: Option<String>,
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
    },
    /// Restore one for trial, examine it and throw it away.
    #[command(after_help = "Example:\n  ambit backup drill -e prod")]
    Drill {
        /// Its name; the newest where nothing is said.
        name: Option<String>,
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// This machine, or Railway; without it, this machine where the environment runs here, else where it lives.
        #[arg(long, value_enum, value_name = "PLACE")]
        at: Option<DeployTo>,
    },
    /// Compare every file of the repository with its checksum.
    #[command(after_help = "Example:\n  ambit backup verify -e prod")]
    Verify {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
    },
}

#[derive(clap::Args)]
pub(crate) struct RestoreArguments {
    /// The environment.
    #[arg(short, long = "env", required = true)]
    pub(crate) environment: Option<String>,
    /// The moment to restore to, in this machine's time or with an offset; as the backup left it where nothing is said.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) to: Option<i64>,
    /// The backup to begin with; the newest before the moment where nothing is said.
    #[arg(long, value_name = "NAME", required_unless_present = "to")]
    pub(crate) backup: Option<String>,
    /// Keep it beside under this name, to look at, and replace nothing.
    #[arg(long, value_name = "NAME")]
    pub(crate) into: Option<String>,
    /// Restore the Redis of the backup, not the PostgreSQL.
    #[arg(long, requires = "backup", conflicts_with_all = ["to", "into"])]
    pub(crate) redis: bool,
    /// This machine, or Railway; without it, this machine where the environment runs here, else where it lives.
    #[arg(long, value_enum, value_name = "PLACE", conflicts_with = "redis")]
    pub(crate) at: Option<DeployTo>,
    /// Say yes to what is replaced, instead of being asked.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Subcommand)]
pub(crate) enum RestoreCommand {
    /// List what lies beside: copies that were restored, and what served before a restore.
    #[command(after_help = "Example:\n  ambit restore list -e prod")]
    List {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// This machine, or Railway; without it, this machine where the environment runs here, else where it lives.
        #[arg(long, value_enum, value_name = "PLACE")]
        at: Option<DeployTo>,
    },
    /// Delete what lies beside.
    #[command(after_help = "Example:\n  ambit restore remove 20261124-101500 -e prod")]
    Remove {
        /// Its name.
        name: String,
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// This machine, or Railway; without it, this machine where the environment runs here, else where it lives.
        #[arg(long, value_enum, value_name = "PLACE")]
        at: Option<DeployTo>,
    },
}

/// `2026-11-24 10:05`, `2026-11-24T10:05:00+01:00`, `2026-11-24T09:05:00Z`: milliseconds since the Unix epoch.
fn moment(text: &str) -> Result<i64, String> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let local: jiff::civil::DateTime = text
        .parse()
        .map_err(|_| "write it as \"2026-11-24 10:05\", or with an offset: 2026-11-24T10:05:00+01:00".to_owned())?;
    // In the hour that a clock shows twice, the machine cannot know which one is meant.
    let ambiguous = jiff::tz::TimeZone::system().to_ambiguous_zoned(local);
    match ambiguous.unambiguous() {
        Ok(at) => Ok(at.timestamp().as_millisecond()),
        Err(_) => Err(format!("{text} was twice or never on this machine's clock: add its offset, such as +01:00")),
    }
}

#[derive(Subcommand)]
pub(crate) enum RestorePointCommand {
    /// Copy the database now.
    #[command(after_help = "Example:\n  ambit restore-point make -e prod")]
    Make {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
    },
    /// List the copies.
    #[command(after_help = "Example:\n  ambit restore-point list -e prod")]
    List {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
    },
    /// Put a copy back; the present database is kept beside it.
    #[command(after_help = "Example:\n  ambit restore-point load 41 -e prod")]
    Load {
        /// The copy's name.
        name: String,
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// The environment's name once more, instead of typing it.
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum DataCommand {
    /// Replace an environment's data by a masked copy of another's.
    #[command(
        after_help = "Examples:\n  ambit data copy prod test\n  ambit data copy prod test --sample 5%\n  ambit data copy prod test --where \"users: created_at > now() - interval '30 days'\""
    )]
    Copy {
        /// The environment that is read.
        from: String,
        /// The environment whose data is replaced; never production.
        to: String,
        /// Only so many of a hundred rows, with everything that they point to.
        #[arg(long, value_name = "PERCENT")]
        sample: Option<String>,
        /// Only the rows of a table that meet an SQL condition, with what belongs to them. May be given several times.
        #[arg(long = "where", value_name = "TABLE: CONDITION")]
        conditions: Vec<String>,
        /// Read at most so many megabytes a second.
        #[arg(long, value_name = "MB")]
        rate: Option<u64>,
    },
    /// Propose what becomes of each column in a masked copy, into masking.toml.
    #[command(
        after_help = "Examples:\n  ambit data classify\n  ambit data classify -e prod --spanish   # generated names are Spanish"
    )]
    Classify {
        /// The environment whose database is looked at.
        #[arg(short, long = "env", default_value = "prod")]
        environment: String,
        /// Names and texts that are generated are Spanish (`language` in masking.toml).
        #[arg(long)]
        spanish: bool,
    },
    /// List the masked copies that were made into an environment, and what their leak checks came to.
    #[command(after_help = "Example:\n  ambit data copies -e test")]
    Copies {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
    },
    /// Copy the database under a name, in a moment.
    #[command(after_help = "Example:\n  ambit data snapshot -e dev orders-filled")]
    Snapshot {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// The snapshot's name.
        name: String,
    },
    /// Put a snapshot in the place of the database, in a moment; what was there becomes the snapshot `before-restore`.
    #[command(after_help = "Example:\n  ambit data restore -e dev orders-filled")]
    Restore {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// The snapshot's name.
        name: String,
    },
    /// List snapshots.
    #[command(after_help = "Example:\n  ambit data snapshots -e dev")]
    Snapshots {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
    },
    /// Delete a snapshot.
    #[command(after_help = "Example:\n  ambit data delete -e dev orders-filled")]
    Delete {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// The snapshot's name.
        name: String,
    },
    /// Write the database into a new file, which pg_restore reads; never that of production.
    #[command(after_help = "Example:\n  ambit data export -e dev dev.dump")]
    Export {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// The file; it must not be there yet.
        file: PathBuf,
    },
    /// Put what such a file holds in the place of the database; what was there becomes the snapshot `before-import`.
    #[command(after_help = "Example:\n  ambit data import -e dev dev.dump")]
    Import {
        /// The environment.
        #[arg(short, long = "env")]
        environment: String,
        /// The file.
        file: PathBuf,
    },
}

#[derive(Subcommand)]
pub(crate) enum RemoteCommand {
    /// Make the repository that deploys what is pushed to it, and a remote that leads there.
    #[command(after_help = "Examples:\n  ambit remote add\n  ambit remote add --name server")]
    Add {
        /// What the remote is called here.
        #[arg(long, default_value = "ambit")]
        name: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum SshCommand {
    /// The keys that come in.
    #[command(subcommand, after_help = "Example:\n  ambit ssh key add --name ana@kaia.ai --write < ana.pub")]
    Key(SshKeyCommand),
    /// What sshd runs for a key.
    #[command(hide = true)]
    Serve {
        #[arg(long = "as")]
        name: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum SshKeyCommand {
    /// Print the line of authorized_keys that lets a public key, read from standard input, push and approve.
    #[command(
        after_help = "Examples:\n  ambit ssh key add --name ana@kaia.ai < ana.pub\n  ambit ssh key add --name ana@kaia.ai --write < ana.pub"
    )]
    Add {
        /// Who comes in by it: the actor of what is pushed and approved.
        #[arg(long)]
        name: String,
        /// Add it to ~/.ssh/authorized_keys.
        #[arg(long)]
        write: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum WebhookCommand {
    /// Listen to a repository, and show what to enter there.
    #[command(
        after_help = "Examples:\n  ambit webhook add github\n  ambit webhook add github --fetch git@github.com:kaia/kaia.git"
    )]
    Add {
        /// Who tells.
        #[arg(value_enum)]
        from: Teller,
        /// Where commits are fetched from: https, ssh or an absolute path.
        #[arg(long, value_name = "URL")]
        fetch: Option<String>,
    },
    /// Show whom this machine listens to.
    #[command(after_help = "Example:\n  ambit webhook list")]
    List,
    /// Make another secret; the one before is refused from then on.
    #[command(after_help = "Example:\n  ambit webhook rotate")]
    Rotate,
    /// Listen no more.
    #[command(after_help = "Example:\n  ambit webhook remove")]
    Remove,
}

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Add somebody.
    #[command(after_help = "Example:\n  ambit user add ana@kaia.ai --role qa && ambit login --user ana@kaia.ai")]
    Add {
        /// An e-mail address or a handle: for approvers the one that ambit.toml names.
        name: String,
        /// viewer, developer, qa, approver or admin.
        #[arg(long)]
        role: Role,
    },
    /// Show everybody.
    #[command(after_help = "Example:\n  ambit user list")]
    List,
    /// Give somebody another role; it holds at once.
    #[command(after_help = "Example:\n  ambit user role ana@kaia.ai developer")]
    Role {
        /// Who.
        name: String,
        /// viewer, developer, qa, approver or admin.
        role: Role,
    },
    /// Remove somebody; their sessions and tokens end at once.
    #[command(after_help = "Example:\n  ambit user remove ana@kaia.ai")]
    Remove {
        /// Who.
        name: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Make one, and print it this once.
    #[command(after_help = "Example:\n  ambit token create ci --role developer --project kaia --expires 90d")]
    Create {
        /// What it is for.
        label: String,
        /// What it may: viewer, developer, qa, approver or admin.
        #[arg(long)]
        role: Role,
        /// In whose name it acts; yours where nobody is named.
        #[arg(long)]
        user: Option<String>,
        /// For this project alone.
        #[arg(long)]
        project: Option<ProjectName>,
        /// How long it is good for: 12h, 90d.
        #[arg(long, value_name = "TIME", default_value = "90d", value_parser = lasting)]
        expires: Duration,
    },
    /// Show every token.
    #[command(after_help = "Example:\n  ambit token list")]
    List,
    /// End one at once.
    #[command(after_help = "Example:\n  ambit token revoke ci")]
    Revoke {
        /// What it is called.
        label: String,
    },
}

fn lasting(text: &str) -> Result<Duration, String> {
    ambit_spec::duration(text).ok_or_else(|| "a number and a unit: 12h, 90d".to_owned())
}

/// Who tells of changes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Teller {
    /// GitHub.
    Github,
}

/// The hooks of the repository that is pushed to.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HookName {
    /// Before anything is taken in.
    PreReceive,
    /// Afterwards.
    PostReceive,
}
