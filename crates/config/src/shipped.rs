//! The files that the program carries. A test holds this list to the folder.

macro_rules! shipped {
    ($($file:literal),* $(,)?) => {
        /// Every file of `policies/` by its path there; `gateway.toml` first.
        pub const SHIPPED: &[(&str, &str)] =
            &[$(($file, include_str!(concat!("../../../policies/", $file)))),*];
    };
}

shipped![
    "gateway.toml",
    "customers.toml",
    "devices.toml",
    "networks.toml",
    "routes.toml",
    "screening.toml",
    "steering.toml",
    "titles.toml",
    "cases/routing.toml",
    "cases/screening.toml",
    "cases/steering.toml",
];
