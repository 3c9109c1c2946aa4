//! The embedded templates: the files that are made where there is no checkout.

/// A file's path below its folder, and its text.
pub struct Template {
    pub path: &'static str,
    pub text: &'static str,
}

/// A hub and a client without a Harmony around them, recognised like a checkout from then on.
pub const SETTINGS: [Template; 2] = [
    Template {
        path: "Harmony.SignalR/appsettings.json",
        text: include_str!("../templates/Harmony.SignalR/appsettings.json"),
    },
    Template {
        path: "Harmony.Client/wwwroot/appsettings.json",
        text: include_str!("../templates/Harmony.Client/wwwroot/appsettings.json"),
    },
];
