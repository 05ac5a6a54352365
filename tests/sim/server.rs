//! The process that is simulated: the real engine and the real cashier on a simulated disk, and a line to it that breaks.

use crate::bank::Bank;
use crate::chance::Chance;
use crate::disk::Machine;
use crate::trace::Time;
use groundswell::clock::Clock;
use groundswell::engine::{self, Engine};
use groundswell::log;
use groundswell::log::sled::SledLog;
use groundswell::payments::cashier::Cashier;
use groundswell::vault::{self, Vault};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Why a process would not start.
#[derive(Debug, thiserror::Error)]
pub enum NoStart {
    #[error(transparent)]
    Log(#[from] log::Fault),
    #[error(transparent)]
    Vault(#[from] vault::Fault),
    #[error(transparent)]
    Engine(#[from] engine::Fault),
}

struct Process {
    engine: Engine,
    cashier: Cashier,
    tasks: JoinSet<()>,
}

/// Where the server is reached, while one runs.
#[derive(Clone)]
pub struct Line(Arc<Mutex<Option<Process>>>);

impl Line {
    pub fn nobody() -> Self {
        Self(Arc::default())
    }

    /// Starts a process by the same way as a real start; `faults` hears when its writer had to stop.
    pub fn start(
        &self,
        machine: &Machine,
        data: &Path,
        bank: &Bank,
        time: &Time,
        mut chance: Chance,
        faults: mpsc::UnboundedSender<String>,
    ) -> Result<(Engine, Cashier), NoStart> {
        let vault = Arc::new(Vault::open(&data.join("vault"))?);
        let log = SledLog::on(machine.parts())?;
        let mut broken = log.failed();
        let wall = time.clone();
        let (engine, mut pump) = Engine::assemble(log, vault, Clock::telling(move || wall.on_the_wall()))?;
        let cashier = Cashier::new(engine.clone(), Arc::new(bank.clone()));
        let mut tasks = JoinSet::new();
        let (told, slow_disk, mut slow) = (faults.clone(), machine.clone(), Chance::new(chance.number()));
        tasks.spawn(async move {
            loop {
                if let Some(wait) = slow_disk.slow(&mut slow) {
                    tokio::time::sleep(wait).await;
                }
                match pump.step().await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(fault) => {
                        let _ = told.send(fault.to_string());
                        return;
                    }
                }
            }
        });
        let heard = faults.clone();
        tasks.spawn(async move {
            // Whoever reads can find out that the log is broken, and then nobody may go on.
            if let Ok(fault) = broken.wait_for(Option::is_some).await.map(|fault| fault.clone()) {
                let _ = heard.send(fault.map_or_else(String::new, |fault| fault.to_string()));
            }
        });
        let (reader, mut newest) = (engine.reader().clone(), engine.newest());
        tasks.spawn(async move {
            let longest = *chance.pick(&[50, 1_000, 60_000]);
            while newest.changed().await.is_ok() {
                tokio::time::sleep(chance.millis(1..longest)).await;
                if let Err(fault) = reader.bind() {
                    let _ = faults.send(fault.to_string());
                    return;
                }
            }
        });
        let running = cashier.clone();
        tasks.spawn(async move { running.run(CancellationToken::new()).await });
        *self.0.lock().unwrap() = Some(Process { engine: engine.clone(), cashier: cashier.clone(), tasks });
        Ok((engine, cashier))
    }

    /// The process is gone, wherever it was, and everything in its memory.
    pub async fn end(&self) {
        let process = self.0.lock().unwrap().take();
        if let Some(mut process) = process {
            process.tasks.shutdown().await;
        }
    }

    /// A request: none where nobody answers in time. The work goes on without whoever asked for it.
    pub async fn ask<T, F, Fut>(&self, patience: Duration, work: F) -> Option<T>
    where
        T: Send + 'static,
        F: FnOnce(Engine, Cashier) -> Fut,
        Fut: Future<Output = T> + Send + 'static,
    {
        let answer = {
            let mut process = self.0.lock().unwrap();
            let process = process.as_mut()?;
            while process.tasks.try_join_next().is_some() {}
            let (answered, answer) = oneshot::channel();
            let work = work(process.engine.clone(), process.cashier.clone());
            process.tasks.spawn(async move {
                let _ = answered.send(work.await);
            });
            answer
        };
        tokio::time::timeout(patience, answer).await.ok()?.ok()
    }
}
