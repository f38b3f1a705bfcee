//! A temporary entry point, to try the simulator.

use clap::Parser;

#[derive(Parser)]
enum Command {
    Sim(tickrate::cli::sim::SimArgs),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Command::Sim(args) = Command::parse();
    Ok(tickrate::cli::sim::run(args)?)
}
