//! `rehost` on published clients: what lists the settings' hash or length changes with them.

mod served;

use super::bare::json;
use crate::harness::Folder;
use crate::harness::program::{harmony, run, text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::Path;

const BEFORE: &str = "\u{feff}{\n  \"signalrHostUrl\": \"https://localhost:7262\"\n}";

fn digest(bytes: &[u8]) -> String {
    STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, bytes))
}

/// As the .NET SDK makes it of a hash.
fn fingerprint(bytes: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    marked(hash.as_ref())
}

fn marked(hash: &[u8]) -> String {
    let sign = if hash[8] < 128 { 0 } else { 0xff };
    let mut number = [sign; 16];
    number[..9].copy_from_slice(&hash[..9]);
    let number = i128::from_le_bytes(number).unsigned_abs();
    let digits = b"0123456789abcdefghijklmnopqrstuvwxyz";
    (0..10)
        .map(|place| char::from(digits[(number / 36_u128.pow(place) % 36) as usize]))
        .collect()
}

#[test]
fn a_fingerprint_is_made_as_a_recorded_publish_made_it() {
    let hash = STANDARD.decode("iVWoChGjl2feLXs/I3UikS7s0wKMuTi2O/A6soY4+R4=");
    assert_eq!(marked(&hash.expect("base64")), "70jlngu3el");
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("a file")
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("bytes");
    encoder.finish().expect("gzip")
}

fn unzipped(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    let packed = bytes(path);
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut text)
        .expect("gzip");
    text
}

/// A client as `dotnet publish` leaves it: settings with a twin, and every list of them.
fn client(folder: &Folder) {
    let site = folder.path().join("out/wwwroot");
    folder.write("out/wwwroot/appsettings.json", BEFORE);
    folder.write("out/wwwroot/index.html", "<html></html>");
    std::fs::write(site.join("appsettings.json.gz"), gzip(BEFORE.as_bytes())).expect("a twin");
    let boot = format!(
        "{{ \"resources\": {{ \"config\": {{ \"appsettings.json\": \"sha256-{}\" }} }} }}",
        digest(BEFORE.as_bytes())
    );
    folder.write("out/wwwroot/_framework/blazor.boot.json", &boot);
    let assets = json!({ "version": "abcdefgh", "assets": [
        { "hash": format!("sha256-{}", digest(boot.as_bytes())), "url": "_framework/blazor.boot.json" },
        { "hash": format!("sha256-{}", digest(BEFORE.as_bytes())), "url": "appsettings.json" },
        { "hash": "sha256-other", "url": "index.html" },
    ] });
    let assets = format!("self.assetsManifest = {assets:#};\n");
    folder.write("out/wwwroot/service-worker-assets.js", &assets);
    std::fs::write(
        site.join("service-worker-assets.js.gz"),
        gzip(assets.as_bytes()),
    )
    .expect("a twin");
    folder.write(
        "out/wwwroot/service-worker.js",
        "/* Manifest version: abcdefgh */\nself.x = 1;\n",
    );
    let packed = bytes(&site.join("appsettings.json.gz"));
    let endpoint = |file: &str, content: &[u8], original: &[u8]| {
        json!({
            "Route": "appsettings.json",
            "AssetFile": file,
            "Selectors": [],
            "ResponseHeaders": [
                { "Name": "Content-Length", "Value": content.len().to_string() },
                { "Name": "ETag", "Value": format!("\"{}\"", digest(content)) },
                { "Name": "Last-Modified", "Value": "Mon, 01 Jan 2024 00:00:00 GMT" },
            ],
            "EndpointProperties": [{ "Name": "integrity", "Value": format!("sha256-{}", digest(original)) }],
        })
    };
    let list = json!({ "Version": 1, "Endpoints": [
        endpoint("appsettings.json", BEFORE.as_bytes(), BEFORE.as_bytes()),
        endpoint("appsettings.json.gz", &packed, BEFORE.as_bytes()),
        { "Route": "index.html", "AssetFile": "index.html", "ResponseHeaders": [{ "Name": "Content-Length", "Value": "13" }] },
    ] });
    folder.write(
        "out/Harmony.Client.staticwebassets.endpoints.json",
        &format!("{list:#}"),
    );
}

#[test]
fn all_lists_are_renewed_in_one_change_and_undone_in_one() {
    let folder = Folder::new();
    client(&folder);
    let site = folder.path().join("out/wwwroot");
    let lists = [
        "out/wwwroot/service-worker-assets.js",
        "out/wwwroot/service-worker.js",
        "out/wwwroot/_framework/blazor.boot.json",
        "out/Harmony.Client.staticwebassets.endpoints.json",
    ];
    let before = lists.map(|list| folder.read(list));
    let mut command = harmony(folder.path());
    command.args([
        "rehost",
        "https://hub.example",
        "--no-check",
        "--client",
        "out",
    ]);
    let said = json(&mut command);
    assert_eq!(said["changes"], 7, "{said}");

    let settings = bytes(&site.join("appsettings.json"));
    assert_eq!(unzipped(&site.join("appsettings.json.gz")), settings);
    let assets = folder.read("out/wwwroot/service-worker-assets.js");
    assert_eq!(
        unzipped(&site.join("service-worker-assets.js.gz")),
        assets.as_bytes()
    );
    let list = assets
        .trim_start_matches("self.assetsManifest = ")
        .trim_end_matches(";\n");
    let list: Value = serde_json::from_str(list).expect("JSON");
    for asset in list["assets"].as_array().expect("assets") {
        let path = site.join(asset["url"].as_str().expect("a URL"));
        let is_other = asset["hash"] == "sha256-other";
        assert!(
            is_other || asset["hash"] == format!("sha256-{}", digest(&bytes(&path))),
            "{asset}"
        );
    }
    let version = list["version"].as_str().expect("a version");
    assert!(version.len() == 8 && version != "abcdefgh");
    assert!(
        folder
            .read("out/wwwroot/service-worker.js")
            .contains(version)
    );
    let endpoints: Value = serde_json::from_str(&folder.read(lists[3])).expect("JSON");
    for endpoint in endpoints["Endpoints"]
        .as_array()
        .expect("endpoints")
        .iter()
        .take(2)
    {
        let content = bytes(&site.join(endpoint["AssetFile"].as_str().expect("a file")));
        let headers = &endpoint["ResponseHeaders"];
        assert_eq!(headers[0]["Value"], content.len().to_string());
        assert_eq!(headers[1]["Value"], format!("\"{}\"", digest(&content)));
        assert_ne!(headers[2]["Value"], "Mon, 01 Jan 2024 00:00:00 GMT");
        let integrity = &endpoint["EndpointProperties"][0]["Value"];
        assert_eq!(*integrity, format!("sha256-{}", digest(&settings)));
    }
    assert_eq!(
        endpoints["Endpoints"][2]["ResponseHeaders"][0]["Value"],
        "13"
    );

    run(harmony(folder.path()).args(["settings", "undo"]));
    assert_eq!(lists.map(|list| folder.read(list)), before);
    assert_eq!(folder.read("out/wwwroot/appsettings.json"), BEFORE);
}

#[test]
fn inside_a_published_clients_folder_it_needs_no_flag() {
    for place in ["out", "out/wwwroot"] {
        let folder = Folder::new();
        client(&folder);
        let mut command = harmony(folder.path());
        command.current_dir(folder.path().join(place));
        let said = json(command.args(["rehost", "https://hub.example", "--no-check"]));
        assert_eq!(said["changes"], 7, "{place}: {said}");
    }
}

#[test]
fn a_hubs_publish_folder_has_no_client_and_a_new_environment_makes_no_empty_files() {
    let folder = Folder::new();
    folder.write("Harmony.SignalR.dll", "");
    folder.write("appsettings.json", "{}");
    let mut command = harmony(folder.path());
    let output = run(command.args(["--json", "rehost", "https://hub.example", "--no-check"]));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (output.status.code(), &said["error"]["code"]),
        (Some(2), &"noClient".into())
    );
    assert!(
        said["error"]["fix"].to_string().contains("--client"),
        "{said}"
    );

    let folder = Folder::new();
    super::checkouts::new_layout(&folder);
    let mut command = harmony(folder.path());
    command.args([
        "--environment",
        "Staging",
        "rehost",
        "https://hub.example",
        "--no-check",
    ]);
    let said = json(&mut command);
    let files = said["files"].as_array().expect("files");
    assert!(
        files.iter().all(|file| file.to_string().contains("ocelot")),
        "{said}"
    );
}

#[test]
fn a_fingerprinted_address_is_renewed() {
    let folder = Folder::new();
    client(&folder);
    let path = "out/Harmony.Client.staticwebassets.endpoints.json";
    let mut list: Value = serde_json::from_str(&folder.read(path)).expect("JSON");
    let mut endpoint = list["Endpoints"][1].clone();
    let mark = fingerprint(BEFORE.as_bytes());
    endpoint["Route"] = format!("appsettings.{mark}.json").into();
    endpoint["ResponseHeaders"][1]["Value"] = format!("W/\"{}\"", digest(b"edited since")).into();
    let property = |name: &str, value: &str| json!({ "Name": name, "Value": value });
    let properties = endpoint["EndpointProperties"]
        .as_array_mut()
        .expect("a list");
    properties.push(property("fingerprint", &mark));
    properties.push(property("label", "appsettings.json"));
    list["Endpoints"]
        .as_array_mut()
        .expect("a list")
        .push(endpoint);
    folder.write(path, &list.to_string());
    let mut command = harmony(folder.path());
    json(command.args([
        "rehost",
        "https://hub.example",
        "--no-check",
        "--client",
        "out",
    ]));
    let settings = bytes(&folder.path().join("out/wwwroot/appsettings.json"));
    let list: Value = serde_json::from_str(&folder.read(path)).expect("JSON");
    let (endpoint, mark) = (&list["Endpoints"][3], fingerprint(&settings));
    assert_eq!(endpoint["Route"], format!("appsettings.{mark}.json"));
    let tag = format!("W/\"{}\"", digest(&settings));
    assert_eq!(endpoint["ResponseHeaders"][1]["Value"], tag);
    let properties = &endpoint["EndpointProperties"];
    let integrity = format!("sha256-{}", digest(&settings));
    assert_eq!(properties[0], property("integrity", &integrity));
    assert_eq!(properties[1], property("fingerprint", &mark));
    assert_eq!(properties[2], property("label", "appsettings.json"));
}

#[test]
fn a_list_that_nobody_understands_is_refused_by_name() {
    let folder = Folder::new();
    client(&folder);
    folder.write(
        "out/wwwroot/service-worker-assets.js",
        "self.x = { \"assets\": [ };",
    );
    let mut command = harmony(folder.path());
    let output = run(command.args([
        "rehost",
        "https://hub.example",
        "--no-check",
        "--client",
        "out",
    ]));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("service-worker-assets.js"), "{said}");
    assert_eq!(folder.read("out/wwwroot/appsettings.json"), BEFORE);
}

#[test]
fn the_layout_before_the_rename_is_a_checkout() {
    let folder = Folder::new();
    folder.write("Harmony.sln", "");
    for (place, settings) in [
        ("Harmony.Server.SignalR", "{ \"AllowedHosts\": \"*\" }"),
        (
            "Server",
            "{ \"AppConfiguration\": { \"Secret\": \"hunter2\" } }",
        ),
        ("Client/wwwroot", BEFORE),
    ] {
        folder.write(
            &format!("src/Web/Harmony/{place}/appsettings.json"),
            settings,
        );
    }
    let mut command = harmony(folder.path());
    let said = json(command.args(["rehost", "https://hub.example", "--no-check"]));
    assert_eq!(said["changes"], 1, "{said}");
    assert!(
        folder
            .read("src/Web/Harmony/Client/wwwroot/appsettings.json")
            .contains("hub.example")
    );
    for (application, key) in [
        ("Harmony.Client", "signalrHostUrl"),
        ("Harmony.SignalR", "AllowedHosts"),
    ] {
        let mut command = harmony(folder.path());
        let output = run(command.args(["settings", "--app", application, "get", key]));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    let mut command = harmony(folder.path());
    let output = run(command.args(["settings", "--app", "Harmony.Api", "list"]));
    assert!(text(&output.stdout).contains("AppConfiguration:Secret"));
    assert!(!text(&output.stdout).contains("hunter2"));
}
