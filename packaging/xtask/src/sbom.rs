//! The bill of materials: every crate that the programs that ship are made of, as CycloneDX 1.5 has it, without one that only builds or
//! tests them. It depends on `Cargo.lock` and on nothing else, so that the same commit gives the same bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::ExitCode,
};

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::build;

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// None for a crate of this workspace.
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    /// None where it is needed at run time.
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Debug, Deserialize)]
struct Locked {
    name: String,
    version: String,
    /// SHA-256 of the crate's file.
    checksum: Option<String>,
}

/// Prints it.
pub fn run() -> anyhow::Result<ExitCode> {
    let output = build::cargo().args(["metadata", "--format-version", "1", "--locked"]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let lock = fs::read_to_string(build::workspace().join("Cargo.lock"))?;
    let lock: Lock = toml::from_str(&lock).context("Cargo.lock")?;
    let bill = bill(&metadata, &lock, &build::PACKAGES);
    #[allow(clippy::print_stdout, reason = "it is this errand's output")]
    {
        println!("{}", serde_json::to_string_pretty(&bill)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn bill(metadata: &Metadata, lock: &Lock, programs: &[&str]) -> Value {
    let checksums: BTreeMap<_, _> = lock
        .package
        .iter()
        .filter_map(|one| Some(((one.name.as_str(), one.version.as_str()), one.checksum.as_deref()?)))
        .collect();
    let shipped = shipped(metadata, programs);
    let mut packages: Vec<_> =
        metadata.packages.iter().filter(|package| shipped.contains(package.id.as_str())).collect();
    packages.sort_by_key(|package| (&package.name, &package.version));
    let components: Vec<_> = packages
        .into_iter()
        .map(|package| {
            let checksum = checksums.get(&(package.name.as_str(), package.version.as_str()));
            component(package, checksum.copied())
        })
        .collect();
    json!({ "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components })
}

fn component(package: &Package, checksum: Option<&str>) -> Value {
    let Package { name, version, license, source, .. } = package;
    let kind = if source.is_some() { "library" } else { "application" };
    let hashes: Vec<_> =
        checksum.into_iter().map(|sha256| json!({ "alg": "SHA-256", "content": sha256 })).collect();
    let licenses: Vec<_> = license.iter().map(|license| json!({ "expression": license })).collect();
    json!({
        "type": kind, "name": name, "version": version, "purl": format!("pkg:cargo/{name}@{version}"),
        "licenses": licenses, "hashes": hashes,
    })
}

/// The programs, and what they need at run time, and what that needs.
fn shipped<'a>(metadata: &'a Metadata, programs: &[&str]) -> BTreeSet<&'a str> {
    let nodes: BTreeMap<_, _> = metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let is_program =
        |package: &&Package| package.source.is_none() && programs.contains(&package.name.as_str());
    let mut left: Vec<&str> =
        metadata.packages.iter().filter(is_program).map(|package| package.id.as_str()).collect();
    let mut found = BTreeSet::new();
    while let Some(id) = left.pop() {
        if !found.insert(id) {
            continue;
        }
        let needs = nodes.get(id).into_iter().flat_map(|node| &node.deps);
        let at_run_time = needs.filter(|need| need.dep_kinds.iter().any(|kind| kind.kind.is_none()));
        left.extend(at_run_time.map(|need| need.pkg.as_str()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        let package = |name: &str, source: Option<&str>| json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT", "source": source });
        let need = |name: &str, kind: Option<&str>| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let there = Some("registry");
        serde_json::from_value(json!({
            "packages": [
                package("ours", None), package("used", there), package("deep", there), package("tried", there),
                package("builds", there), package("other", None),
            ],
            "resolve": { "nodes": [
                { "id": "ours", "deps": [need("used", None), need("tried", Some("dev")), need("builds", Some("build"))] },
                { "id": "used", "deps": [need("deep", None)] },
                { "id": "other", "deps": [need("tried", None)] },
            ] },
        }))
        .unwrap()
    }

    #[test]
    fn what_ships_is_listed_and_what_only_builds_or_tests_it_is_not() {
        let lock: Lock =
            toml::from_str("[[package]]\nname = \"used\"\nversion = \"1.0.0\"\nchecksum = \"abc\"\n")
                .unwrap();
        let bill = bill(&metadata(), &lock, &["ours"]);
        let names: Vec<_> =
            bill["components"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["deep", "ours", "used"]);
        assert_eq!(bill["components"][2]["hashes"][0]["content"], "abc");
        assert_eq!(bill["components"][2]["purl"], "pkg:cargo/used@1.0.0");
        assert_eq!(bill["components"][1]["type"], "application");
    }
}
