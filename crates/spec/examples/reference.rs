//! Prints the reference of the format, the body of `docs/ambit-toml.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(ambit_spec::reference().as_bytes())
}
