//! `ipxsim world`: judge steering in a simulated world.

use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use sim::world::{
    self, Diagnostic, Faults, Figures, LIVE_MINUTES_MAX, LIVE_SUBSCRIBERS_MAX, Live, Order,
    Progress, SCENARIOS, STYLES, Scenario, Source, Style, Trouble, shipped,
};

/// Between two progress lines, on a terminal and elsewhere.
const LIVELY: Duration = Duration::from_millis(500);
const QUIET: Duration = Duration::from_secs(5);

/// Subscribers of a live world unless asked for others.
const LIVE_SUBSCRIBERS: u32 = 300;

#[derive(Args)]
pub(crate) struct WorldArgs {
    /// A shipped scenario by its name, or a file [with --compare: all shipped ones]
    #[arg(long)]
    scenario: Option<String>,
    /// The same seed gives the same run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A shipped policy by its name, or a file of keys to lay over the scenario's plans
    #[arg(long, default_value = "ours", conflicts_with = "compare")]
    policy: String,
    /// All shipped policies side by side
    #[arg(long)]
    compare: bool,
    /// Judge the policy files of this folder instead
    #[arg(long, conflicts_with_all = ["compare", "policy"])]
    policies: Option<PathBuf>,
    /// So many subscribers instead of the scenario's number
    #[arg(long)]
    subscribers: Option<u32>,
    /// The figures as a JSON array on stdout
    #[arg(long)]
    json: bool,
    /// Write the curves of one scenario as an SVG picture
    #[arg(long, value_name = "FILE.svg", requires = "scenario")]
    picture: Option<PathBuf>,
    /// Over sockets, in real time: starts an `ipxd` on loopback and connects every network to it. 4G
    /// alone; the shares after ten minutes need as many (`--minutes`)
    #[arg(long, conflicts_with = "compare")]
    live: bool,
    /// With --live: the daemon's program [default: `ipxd` beside this program]
    #[arg(long, value_name = "PATH", requires = "live")]
    ipxd: Option<PathBuf>,
    /// With --live: how long everybody is watched
    #[arg(long, value_name = "N", requires = "live", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(LIVE_MINUTES_MAX)))]
    minutes: u32,
    /// No progress lines
    #[arg(long)]
    quiet: bool,
}

/// Runs what was asked for. The exit status is 1 where a checker failed, 2 where a file is wrong.
pub(crate) fn world(args: &WorldArgs) -> ExitCode {
    match all(args) {
        Ok(figures) => show(&figures, args),
        Err(Halt::Files(mistakes)) => {
            mistakes.iter().for_each(|mistake| eprintln!("{mistake}"));
            ExitCode::from(2)
        }
        Err(Halt::Said(what)) => {
            eprintln!("ipxsim: {what}");
            ExitCode::from(2)
        }
        Err(Halt::Failed(what)) => {
            eprintln!("ipxsim: {what}");
            ExitCode::from(1)
        }
    }
}

enum Halt {
    Files(Vec<Diagnostic>),
    Said(String),
    Failed(String),
}

fn all(args: &WorldArgs) -> Result<Vec<Figures>, Halt> {
    let names: Vec<&str> = match &args.scenario {
        Some(name) => vec![name],
        None if args.compare => SCENARIOS.iter().map(|(name, _)| *name).collect(),
        None => vec!["city"],
    };
    let policies = args.policies.as_deref().map(folder).transpose()?;
    let styles = if policies.is_some() {
        vec![Style::as_written("yours")]
    } else if args.compare {
        STYLES.iter().map(|(name, _)| style(name)).collect::<Result<_, _>>()?
    } else {
        vec![style(&args.policy)?]
    };
    let mut figures = Vec::new();
    for name in names {
        let mut scenario = scenario(name)?;
        if args.live {
            let subscribers = args.subscribers.unwrap_or(LIVE_SUBSCRIBERS);
            if subscribers > LIVE_SUBSCRIBERS_MAX {
                return Err(Halt::Said(format!("at most {LIVE_SUBSCRIBERS_MAX} subscribers live")));
            }
            scenario = scenario.live(args.minutes).with_subscribers(subscribers);
        } else if let Some(subscribers) = args.subscribers {
            scenario = scenario.with_subscribers(subscribers);
        }
        if policies.is_none() {
            world::check(&scenario).map_err(Halt::Files)?;
        }
        for style in &styles {
            let (scenario, style) = (scenario.clone(), style.clone());
            let (policies, faults) = (policies.clone(), Faults::default());
            let live = live(args)?;
            let order = Order { scenario, style, policies, seed: args.seed, live, faults };
            figures.push(one(&order, args.quiet)?);
        }
    }
    Ok(figures)
}

/// The daemon for a live world.
fn live(args: &WorldArgs) -> Result<Option<Live>, Halt> {
    if !args.live {
        return Ok(None);
    }
    let own = std::env::current_exe().ok();
    let beside = own.and_then(|own| Some(own.parent()?.join("ipxd")));
    let ipxd = args.ipxd.clone().or(beside).unwrap_or_else(|| PathBuf::from("ipxd"));
    if !ipxd.exists() {
        let ipxd = ipxd.display();
        let help = "build it with `cargo build --release --bin ipxd`, or say --ipxd PATH";
        return Err(Halt::Said(format!("there is no {ipxd}: {help}")));
    }
    Ok(Some(Live { ipxd }))
}

fn one(order: &Order, quiet: bool) -> Result<Figures, Halt> {
    let title = format!("{}, {}", order.scenario.name, order.style.name);
    let mut line = Line::new(title.clone(), quiet);
    let done = world::run(order, &mut |progress| line.show(progress));
    line.end(if done.is_ok() { "done" } else { "ended" });
    done.map_err(|trouble| match trouble {
        Trouble::Policies(mistakes) => Halt::Files(mistakes),
        Trouble::Plane(what) => Halt::Said(what),
        Trouble::Failed(failure) => Halt::Failed(format!("{title}: {failure}")),
    })
}

fn scenario(name: &str) -> Result<Scenario, Halt> {
    let source = named(name, SCENARIOS, "scenario")?;
    world::read(&source).map_err(Halt::Files)
}

fn style(name: &str) -> Result<Style, Halt> {
    let source = named(name, STYLES, "policy")?;
    world::style(&source).map_err(Halt::Files)
}

/// What is shipped under a name, or stands in a file.
fn named(name: &str, list: &[(&str, &str)], what: &str) -> Result<Source, Halt> {
    if let Some(source) = shipped(list, name) {
        return Ok(source);
    }
    if !Path::new(name).exists() && !name.contains(['/', '.']) {
        let known: Vec<&str> = list.iter().map(|(known, _)| *known).collect();
        let near = world::nearest(name, known.iter().copied());
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let known = known.join(", ");
        return Err(Halt::Said(format!("no {what} `{name}`{near} (shipped: {known})")));
    }
    let text = fs::read_to_string(name).map_err(|error| Halt::Said(format!("{name}: {error}")))?;
    Ok(Source::new(name, text))
}

/// The files of a folder of policies that say who is who and what is wanted. Routes, groups and
/// titles are the world's own: its peers are not the folder's.
fn folder(path: &Path) -> Result<Vec<Source>, Halt> {
    let mut sources = Vec::new();
    for file in ["networks.toml", "customers.toml", "steering.toml", "screening.toml"] {
        let path = path.join(file);
        if path.exists() {
            let text = fs::read_to_string(&path);
            let text = text.map_err(|error| Halt::Said(format!("{}: {error}", path.display())))?;
            sources.push(Source::new(path.display().to_string(), text));
        }
    }
    if !sources.iter().any(|source| source.name.ends_with("steering.toml")) {
        return Err(Halt::Said(format!("there is no steering.toml in {}", path.display())));
    }
    Ok(sources)
}

/// What is going on, on stderr.
struct Line {
    title: String,
    quiet: bool,
    lively: bool,
    started: Instant,
    shown: Instant,
    before: u64,
}

impl Line {
    fn new(title: String, quiet: bool) -> Self {
        let lively = std::io::stderr().is_terminal();
        let now = Instant::now();
        Self { title, quiet, lively, started: now, shown: now, before: 0 }
    }

    fn show(&mut self, progress: &Progress) {
        let since = self.shown.elapsed();
        let due = since >= if self.lively { LIVELY } else { QUIET };
        if self.quiet || !due {
            return;
        }
        let rate = progress.transactions.saturating_sub(self.before) as f64 / since.as_secs_f64();
        let percent = 100 * progress.at_s / progress.of_s.max(1);
        let (minutes, seconds) = (progress.at_s / 60, progress.at_s % 60);
        let head = if self.lively { "\r\x1b[K" } else { "" };
        let end = if self.lively { "" } else { "\n" };
        eprint!(
            "{head}{}: {percent:>3} %, {minutes:>3}:{seconds:02} of the world's time, {} subscribers, \
             {} transactions, {rate:.0} a second{end}",
            self.title, progress.subscribers, progress.transactions
        );
        let _ = std::io::stderr().flush();
        (self.shown, self.before) = (Instant::now(), progress.transactions);
    }

    fn end(&self, how: &str) {
        if self.quiet {
            return;
        }
        let head = if self.lively { "\r\x1b[K" } else { "" };
        let seconds = self.started.elapsed().as_secs_f64();
        eprintln!("{head}{}: {how} in {seconds:.1} s", self.title);
    }
}

fn show(figures: &[Figures], args: &WorldArgs) -> ExitCode {
    if let Some(path) = &args.picture
        && let Err(error) = fs::write(path, world::picture(figures))
    {
        eprintln!("ipxsim: {}: {error}", path.display());
        return ExitCode::from(2);
    }
    if args.json {
        match serde_json::to_string(figures) {
            Ok(text) => crate::say(&text),
            Err(error) => eprintln!("ipxsim: {error}"),
        }
    } else {
        crate::say(world::table(figures).trim_start());
        for missed in world::missed(figures) {
            crate::say(&format!("aim missed: {missed}"));
        }
    }
    ExitCode::SUCCESS
}
