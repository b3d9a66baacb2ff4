use proptest::prelude::*;

use super::*;

pub(super) const KAIA: &str = include_str!("../../../../apps/kaia/ambit.toml");

fn project(toml: &str) -> Project {
    let parsed = ambit_spec::parse(toml);
    parsed.project.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
}

/// One app that is tested with cargo, and a mobile app.
fn sources(project: &Project) -> Sources {
    let services = project.environments.values().flat_map(|e| e.services.values());
    let app =
        services.filter(|s| matches!(s.form, ambit_spec::Form::App(_))).map(|s| (&s.name, s.form.source())).next();
    let suites = app.map(|(service, folder)| Suite {
        service: service.clone(),
        folder: folder.to_path_buf(),
        tools: Tools::default(),
        install: vec!["npm ci".to_owned()],
        test: "npm test".to_owned(),
        variables: Vec::new(),
        minutes: 60,
    });
    let mobile = project.environments.values().find_map(|e| e.mobile.as_ref()).map(|mobile| MobileSource {
        folder: mobile.source.clone(),
        tools: Tools { node: Some(Version::Usual), ..Tools::default() },
        install: vec!["npm ci".to_owned()],
        test: Some("npm test".to_owned()),
    });
    Sources {
        folder: PathBuf::new(),
        suites: suites.into_iter().collect(),
        mobile,
        changelog: Some("CHANGELOG.md".into()),
    }
}

fn write(toml: &str, environment: &str, target: Target) -> Result<String, CiError> {
    let project = project(toml);
    let sources = sources(&project);
    let environment = &project.environments[&environment.parse::<EnvironmentName>().unwrap()];
    Pipeline { project: &project, environment, sources: &sources, target }.text()
}

fn read(text: &str) -> serde_json::Value {
    serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

#[test]
fn each_environment_is_deployed_by_its_branch_or_tag_after_its_tests() {
    for (environment, on) in [
        ("dev", serde_json::json!({ "push": { "branches": ["develop"] } })),
        ("test", serde_json::json!({ "push": { "branches": ["staging"] } })),
        ("prod", serde_json::json!({ "push": { "branches": ["hotfix/**"], "tags": ["v*"] } })),
    ] {
        for target in [Target::Host, Target::Railway] {
            let workflow = read(&write(KAIA, environment, target).unwrap());
            assert_eq!(workflow["on"], on);
            assert_eq!(workflow["permissions"], serde_json::json!({}));
            let deploy = &workflow["jobs"]["deploy"];
            assert_eq!(deploy["needs"], serde_json::json!(["test-backend", "mobile-test"]));
            assert_eq!(deploy["environment"]["name"], environment);
            assert_eq!(workflow["jobs"].get("mobile").is_some(), environment != "dev");
            assert_eq!(workflow["jobs"].get("release").is_some(), environment == "prod");
        }
    }
}

#[test]
fn secrets_reach_only_the_steps_that_need_them_and_no_expression_stands_in_a_script() {
    for environment in ["dev", "test", "prod"] {
        for target in [Target::Host, Target::Railway] {
            let workflow = read(&write(KAIA, environment, target).unwrap());
            for (id, job) in workflow["jobs"].as_object().unwrap() {
                assert!(job["permissions"].is_object() && job["timeout-minutes"].is_u64(), "{id}");
                assert!(!job["env"].to_string().contains("secrets."), "{id}");
                for step in job["steps"].as_array().unwrap() {
                    assert!(!step["run"].to_string().contains("${{"), "{id}: {step}");
                    let uses = step["uses"].as_str();
                    assert!(uses.is_none_or(|uses| uses.split('@').nth(1).unwrap().len() == 40), "{step}");
                    let keeps = uses.is_some_and(|uses| uses.contains("/checkout@"));
                    assert!(!keeps || step["with"]["persist-credentials"] == false, "{step}");
                }
                if id.starts_with("test-") || id == "mobile-test" {
                    assert!(!job.to_string().contains("secrets."), "{id}");
                }
            }
        }
    }
}

#[test]
fn what_was_written_knows_itself_and_what_was_edited_is_told_with_its_line() {
    let text = write(KAIA, "test", Target::Railway).unwrap();
    assert_eq!(text, write(KAIA, "test", Target::Railway).unwrap());
    let header = Header { project: "kaia".to_owned(), target: Target::Railway, untouched: true };
    assert_eq!(Header::read(&text), Some(header));
    let edited = text.replace("staging", "main");
    assert!(!Header::read(&edited).unwrap().untouched);
    let drift = CiDrift::of("x.yml", Some(&edited), &text).unwrap();
    let line = text.lines().position(|l| l.contains("staging")).unwrap() + 1;
    assert!(drift.by_hand && drift.line == Some(line), "{drift:?}");
    assert!(drift.message.contains("main") && drift.expected.contains("staging"), "{drift:?}");
    assert_eq!(CiDrift::of("x.yml", Some(&text), &text), None);
    let older = write(KAIA, "test", Target::Host).unwrap();
    assert!(!CiDrift::of("x.yml", Some(&older), &text).unwrap().by_hand);
    let marked = text.replacen("# mark: ", "# mark: 0", 1);
    assert!(CiDrift::of("x.yml", Some(&marked), &text).is_some_and(|d| d.by_hand && d.line == Some(1)));
    for foreign in ["", "name: x\n", "# mark: 1\n"] {
        assert_eq!(Header::read(foreign), None);
        assert!(CiDrift::of("x.yml", Some(foreign), &text).is_some_and(|d| d.by_hand));
    }
}

#[test]
fn railway_is_handed_what_is_declared_there_and_nothing_is_guessed() {
    let toml = "project = \"shop\"\n[environments.prod]\nbranch = \"main\"\n[services.web]\nrun = \"x\"\n\
        [services.jobs]\nkind = \"worker\"\nrun = \"y\"\n";
    assert!(matches!(write(toml, "prod", Target::Railway), Err(CiError::NotAtRailway { .. })));
    let several = format!("{toml}[providers.railway]\nservice = \"one\"\n");
    assert!(matches!(write(&several, "prod", Target::Railway), Err(CiError::SeveralApps { apps: 2, .. })));
    let own = format!("{toml}[providers.railway]\nproject = \"shop\"\n");
    let workflow = read(&write(&own, "prod", Target::Railway).unwrap());
    // Production is deployed by hand where a branch is followed, and at Railway nobody else would hold it.
    assert_eq!(workflow["on"], serde_json::json!({ "workflow_dispatch": {} }));
    let steps = workflow["jobs"]["deploy"]["steps"].as_array().unwrap();
    let services: Vec<&str> = steps.iter().filter_map(|s| s["env"]["SERVICE"].as_str()).collect();
    assert_eq!(services, ["web", "jobs"]);
    assert_eq!(workflow["jobs"]["deploy"]["if"], "${{ github.ref == 'refs/heads/main' }}");
}

/// Texts that would like to be something else.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,30}",
        Just("${{ secrets.AMBIT_SSH_KEY }}".to_owned()),
        Just("x\"\n    permissions: write-all\n".to_owned()),
        Just("# comment: no\n- list".to_owned()),
    ]
}

/// A text as TOML has it.
fn toml_text(text: &str) -> String {
    serde_json::to_string(text).unwrap().replace('\u{7f}', "\\u007f")
}

proptest! {
    #[test]
    fn whatever_is_declared_stays_in_its_place(
        command in hostile(), value in hostile(), service in hostile(), profile in hostile(), folder in hostile(),
        branch in "[a-z!+é$'{}]{1,12}",
    ) {
        let toml = format!(
            "project = \"shop\"\n[environments.test]\nbranch = \"b{branch}\"\n[services.web]\nrun = \"x\"\n[services.postgres]\n\
             [variables]\nODD.value = {}\n[providers.railway]\nservice = {}\n",
            toml_text(&value.replace("${", "$${")), toml_text(&service),
        );
        let Some(project) = ambit_spec::parse(&toml).project else { return Ok(()) };
        let mut environment = project.environments[0].clone();
        environment.mobile = Some(ambit_spec::Mobile {
            source: folder.clone().into(), package: "a.b".into(), name: "x".into(), profiles: vec![profile.clone()],
            api: None, downloads: "downloads".parse().unwrap(), keep: 1, token: None,
        });
        let tools = Tools { node: Some(Version::File(folder.clone())), ..Tools::default() };
        let sources = Sources {
            folder: PathBuf::new(),
            suites: vec![Suite {
                service: "web".parse().unwrap(), folder: folder.clone().into(), tools: tools.clone(),
                install: vec![command.clone()], test: command.clone(),
                variables: Vec::new(), minutes: 1,
            }],
            mobile: Some(MobileSource { folder: folder.into(), tools, install: Vec::new(), test: None }),
            changelog: None,
        };
        for target in [Target::Host, Target::Railway] {
            let text = Pipeline { project: &project, environment: &environment, sources: &sources, target }.text().unwrap();
            let workflow = read(&text);
            let jobs: Vec<&String> = workflow["jobs"].as_object().unwrap().keys().collect();
            prop_assert_eq!(jobs, ["test-web", "deploy", "mobile", "tell"]);
            prop_assert_eq!(&workflow["permissions"], &serde_json::json!({}));
            let escaped = |text: &str| text.replace("${{", "${{ '${{' }}");
            prop_assert_eq!(&workflow["on"]["push"]["branches"][0].as_str().unwrap().replace('\\', ""), &escaped(&format!("b{branch}")));
            let test = &workflow["jobs"]["test-web"];
            let odd = test["env"]["ODD"].as_str();
            prop_assert!(odd.is_none() || odd == Some(escaped(&value).as_str()), "{:?}", odd);
            let run = test["steps"].as_array().unwrap().last().unwrap()["run"].as_str().unwrap();
            prop_assert!(run.ends_with(&format!("{}\n", escaped(command.trim_end()))), "{:?}", run);
            // Expressions of Ambit's own, and none that was declared.
            for (at, _) in text.match_indices("${{") {
                let known = ["${{ '${{' }}", "${{' }}", "${{ secrets.", "${{ vars.", "${{ !", "${{ contains(", "${{ failure()", "${{ github.", "${{ steps.", "${{ needs."];
                prop_assert!(known.iter().any(|k| text[at..].starts_with(k)), "{}", &text[at..]);
                let secret = text[at..].strip_prefix("${{ secrets.");
                prop_assert!(secret.is_none_or(|s| !s.starts_with("AMBIT_SSH_KEY") || target == Target::Host), "{}", text);
            }
        }
    }

    #[test]
    fn any_text_is_read_as_a_header_or_not(text in any::<String>(), target in "[a-z]{0,8}") {
        let _ = Header::read(&text);
        let _ = Header::read(&format!("# mark: x\n# project: p\n# target: {target}\n{text}"));
        prop_assert!(CiDrift::of("f", Some(&text), "wanted\n").is_some());
    }
}
