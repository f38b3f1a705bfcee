//! Consumers of events. Each output is independent of the others and of the engine: one that
//! fails is reported and dropped, and the rest go on.

mod ahead;
mod cells;
pub mod comparison;
#[cfg(test)]
mod conformance;
pub mod console;
pub mod dashboard;
mod decode;
mod encode;
pub mod evalscope;
pub mod export;
pub mod frames;
pub mod html;
pub mod journal;
pub mod live;
pub mod otlp;
pub mod parquet;
pub mod progress;
pub mod progress_file;
mod recommendations;
pub mod record_text;
pub mod recover;
pub mod rows;
#[cfg(test)]
mod sample;
pub mod schema;
mod screen;
pub mod server_metrics;
pub mod stored;
pub mod summary;
pub mod table;
mod table_file;
pub mod timeline;
pub mod visualizer;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::priority;
use crate::record::{Event, EventSender};

/// Why an output could not do its work: one line that names the file and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutputError(pub String);

/// Something that consumes the events of a run, on the outputs' own thread.
pub trait Output: Send {
    /// The name it goes by in messages.
    fn name(&self) -> &'static str;

    /// Takes one event. After an error it gets no further ones.
    fn on_event(&mut self, event: &Event) -> Result<(), OutputError>;

    /// Whether going on without it makes no sense: what it keeps is what the run is for.
    fn is_essential(&self) -> bool {
        false
    }
}

/// What is done, once, when an output that is essential has failed.
pub type OnLoss = Box<dyn FnOnce() + Send>;

/// An output that failed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFailure {
    /// The output's name.
    pub output: &'static str,
    /// What it said.
    pub error: OutputError,
}

/// The thread that hands each event to all outputs.
#[derive(Debug)]
pub struct FanOut {
    thread: JoinHandle<Vec<OutputFailure>>,
    told: Arc<AtomicU64>,
    consumed: Arc<Consumed>,
}

/// How many events all outputs have consumed, and who waits for more of them.
#[derive(Debug, Default)]
struct Consumed {
    count: AtomicU64,
    /// Whether anybody waits: to wake nobody is a call of the system, for every event.
    awaited: AtomicBool,
    waiting: Mutex<()>,
    grown: Condvar,
}

impl Consumed {
    fn one_more(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.awaited.load(Ordering::SeqCst) {
            let _waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.grown.notify_all();
        }
    }

    /// Waits until there were `told`, or `is_over` says that there will be no more.
    fn wait_for(&self, told: u64, is_over: impl Fn() -> bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.awaited.store(true, Ordering::SeqCst);
        while self.count.load(Ordering::SeqCst) < told && !is_over() {
            let wait = self.grown.wait_timeout(waiting, Duration::from_millis(100));
            waiting = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        self.awaited.store(false, Ordering::SeqCst);
    }
}

/// How many events may wait for the outputs before those who emit them are held up.
const QUEUE: usize = 4096;

impl FanOut {
    /// Starts the thread. Events go into the returned sender; the thread ends with
    /// [`Event::RunFinished`] or once all senders are gone. `on_loss` is done when an essential
    /// output has failed.
    pub fn start(outputs: Vec<Box<dyn Output>>, on_loss: OnLoss) -> std::io::Result<(EventSender, FanOut)> {
        let (sender, receiver) = sync_channel(QUEUE);
        let sender = EventSender::new(sender);
        let consumed = Arc::new(Consumed::default());
        let counted = consumed.clone();
        let thread = std::thread::Builder::new().spawn(move || {
            // The threads that outputs start stand where this one does.
            priority::stand_back("outputs");
            fan_out(outputs, on_loss, &receiver, &counted)
        })?;
        let fan_out = FanOut { thread, told: sender.told(), consumed };
        Ok((sender, fan_out))
    }

    /// Waits until every event told so far has been consumed, so that what the outputs do about the
    /// end of a stage does not take the processor from the next one.
    pub fn catch_up(&self) {
        let told = self.told.load(Ordering::Acquire);
        self.consumed.wait_for(told, || self.thread.is_finished());
    }

    /// Waits until every event has been consumed, and returns the outputs that failed.
    pub fn finish(self) -> Vec<OutputFailure> {
        self.thread.join().unwrap_or_else(|_| {
            let error = OutputError("the thread of the outputs panicked; later results are missing".into());
            vec![OutputFailure { output: "outputs", error }]
        })
    }
}

/// How long the outputs rest when there is nothing to do: events that come meanwhile need nobody woken.
const REST: Duration = Duration::from_millis(1);

/// The next event, once there is one; none when there will be no more.
fn next_event(events: &Receiver<Event>) -> Option<Event> {
    events.try_recv().ok().or_else(|| {
        std::thread::sleep(REST);
        events.recv().ok()
    })
}

fn fan_out(
    mut outputs: Vec<Box<dyn Output>>,
    on_loss: OnLoss,
    events: &Receiver<Event>,
    consumed: &Consumed,
) -> Vec<OutputFailure> {
    let mut on_loss = Some(on_loss);
    let mut failures = Vec::new();
    while let Some(event) = next_event(events) {
        let mut fallen = Vec::new();
        outputs.retain_mut(|output| match output.on_event(&event) {
            Ok(()) => true,
            Err(error) => {
                if output.is_essential() {
                    on_loss.take().into_iter().for_each(|on_loss| on_loss());
                }
                fallen.push(OutputFailure { output: output.name(), error });
                false
            }
        });
        for failure in fallen {
            let told = Event::Warned(format!("the output \"{}\" failed: {}", failure.output, failure.error));
            failures.push(failure);
            outputs.retain_mut(|output| output.on_event(&told).is_ok());
        }
        consumed.one_more();
        if matches!(event, Event::RunFinished) {
            break;
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails {
        essential: bool,
    }
    impl Output for Fails {
        fn name(&self) -> &'static str {
            "fails"
        }
        fn on_event(&mut self, _: &Event) -> Result<(), OutputError> {
            Err(OutputError("no space".into()))
        }
        fn is_essential(&self) -> bool {
            self.essential
        }
    }

    struct Keeps(Arc<Mutex<Vec<String>>>);
    impl Output for Keeps {
        fn name(&self) -> &'static str {
            "keeps"
        }
        fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
            if let Event::Warned(text) = event {
                self.0.lock().unwrap().push(text.clone());
            }
            Ok(())
        }
    }

    #[test]
    fn a_failing_output_is_told_of_and_the_others_go_on() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let outputs: Vec<Box<dyn Output>> =
            vec![Box::new(Fails { essential: false }), Box::new(Keeps(kept.clone()))];
        let (events, thread) = FanOut::start(outputs, Box::new(|| panic!("nothing is lost"))).unwrap();
        events.emit(Event::Warned("first".into()));
        events.emit(Event::Warned("second".into()));
        thread.catch_up();
        assert_eq!(kept.lock().unwrap().len(), 3);
        events.emit(Event::RunFinished);
        assert_eq!(
            thread.finish(),
            [OutputFailure { output: "fails", error: OutputError("no space".into()) }]
        );
        let kept = kept.lock().unwrap();
        assert_eq!(kept.as_slice(), ["first", "the output \"fails\" failed: no space", "second"]);
    }

    #[test]
    fn the_loss_of_an_essential_output_is_acted_upon() {
        let (lost, seen) = std::sync::mpsc::channel();
        let outputs: Vec<Box<dyn Output>> = vec![Box::new(Fails { essential: true })];
        let (events, thread) =
            FanOut::start(outputs, Box::new(move || lost.send(()).unwrap_or_default())).unwrap();
        events.emit(Event::Warned("first".into()));
        thread.catch_up();
        assert!(seen.try_recv().is_ok());
        events.emit(Event::RunFinished);
        assert_eq!(thread.finish().len(), 1);
    }
}
