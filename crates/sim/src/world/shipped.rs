//! The scenarios and policies that the program carries.

use policy::Source;

macro_rules! shipped {
    ($what:ident, $folder:literal, $($name:literal),* $(,)?) => {
        /// By name, in the order in which they are shown.
        pub const $what: &[(&str, &str)] = &[$((
            $name,
            include_str!(concat!("../../../../tests/scenarios/world/", $folder, $name, ".toml")),
        )),*];
    };
}

shipped!(SCENARIOS, "", "city", "half-covered", "border", "iot-fleet");
shipped!(STYLES, "styles/", "none", "paper", "static", "ours");

/// What is carried under a name.
#[must_use]
pub fn shipped(list: &[(&str, &str)], name: &str) -> Option<Source> {
    let (name, text) = list.iter().find(|(known, _)| *known == name)?;
    Some(Source::new(format!("{name}.toml"), *text))
}
