//! One answer: the queue, the schedule of its frames, and the bytes of each.

use std::io;

use rand_xoshiro::Xoshiro256PlusPlus;

use super::ask::{Ask, MOST_TOKENS};
use super::faults::Fault;
use super::framer::Sink;
use super::http1::{BodyLength, Connection, write_head};
use super::pacer::Pacer;
use super::protocol::{Dialect, Facts, Finish, Piece, Usage, Writer};
use super::scheduler::Scheduler;
use super::truth::TruthRecord;
use super::{Distribution, RoleFrame, SimSpec};
use crate::clock::monotonic_ns;
use crate::units::Nanos;

/// What an answer needs beside its connection.
pub(super) struct Generation<'a> {
    pub spec: &'a SimSpec,
    pub scheduler: &'a Scheduler,
    pub pacer: &'a Pacer,
    pub dialect: Dialect,
    pub ask: &'a Ask,
    pub fault: Option<Fault>,
    pub id: u64,
    pub rng: Xoshiro256PlusPlus,
    /// Header lines to add to the reply's head.
    pub extra_head: &'static str,
}

/// When an answer's frames are due and how its tokens are dealt out to them.
struct Plan {
    tokens: u64,
    reasoning: u64,
    reason: &'static str,
    per_frame: u64,
    /// The frame at which a fault in the middle of the reply happens.
    middle: u64,
    first_due_ns: i64,
    received_ns: i64,
}

impl Plan {
    fn frames(&self) -> u64 {
        self.reasoning.div_ceil(self.per_frame) + (self.tokens - self.reasoning).div_ceil(self.per_frame)
    }

    /// The frame that begins with the token `first`. Reasoning and answer do not share one.
    fn piece(&self, first: u64) -> Piece {
        let reasoning = first < self.reasoning;
        let end = if reasoning { self.reasoning } else { self.tokens };
        let tokens = self.per_frame.min(end - first);
        let begins = first == 0 || first == self.reasoning;
        Piece { first, tokens, reasoning, begins, last: first + tokens == self.tokens }
    }

    fn finish(&self, last_due_ns: i64) -> Finish {
        Finish {
            reason: self.reason,
            output_tokens: self.tokens,
            reasoning_tokens: self.reasoning,
            prefill_ns: self.first_due_ns - self.received_ns,
            decode_ns: last_due_ns - self.first_due_ns,
        }
    }
}

impl Generation<'_> {
    /// Waits for a slot, generates and writes the whole reply. Returns whether the connection
    /// can serve another request; an error is a client that went away.
    pub async fn run(&mut self, connection: &mut Connection, truth: &mut TruthRecord) -> io::Result<bool> {
        truth.line.input_tokens = Some(self.ask.prompt.count());
        let slot = tokio::select! {
            slot = self.scheduler.slot() => slot,
            () = connection.closed() => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
        let started_ns = monotonic_ns();
        truth.line.started_ns = Some(started_ns);
        truth.line.cached_tokens = self.scheduler.cached_tokens(&self.ask.prompt);
        let plan = self.plan(truth, started_ns);
        let keeps = if self.ask.stream && !self.dialect.is_pooled() {
            self.stream(connection, truth, &plan).await
        } else {
            self.whole(connection, truth, &plan).await
        };
        truth.line.finished_ns = monotonic_ns();
        drop(slot);
        keeps
    }

    fn plan(&mut self, truth: &mut TruthRecord, started_ns: i64) -> Plan {
        let ask = self.ask;
        let (tokens, reason) = match (self.spec.output_tokens, ask.limit) {
            _ if self.dialect.is_pooled() => (0, "stop"),
            (_, Some(limit)) if ask.exact || self.spec.output_tokens.is_constant() => (limit, "length"),
            (lengths, limit) => {
                let drawn = (lengths.sample(&mut self.rng).round() as u64).clamp(1, MOST_TOKENS);
                match limit {
                    Some(limit) if limit <= drawn => (limit, "length"),
                    _ => (drawn, "stop"),
                }
            }
        };
        let calls_tool = self.fault == Some(Fault::ToolCalls) && self.dialect.calls_tools();
        let reason = if calls_tool { "tool_calls" } else { reason };
        let thinks = self.dialect.reasons() && !calls_tool;
        let reasoning = if thinks { self.spec.reasoning_tokens.min(tokens) } else { 0 };
        let uncached = ask.prompt.count() - truth.line.cached_tokens.unwrap_or(0);
        let prefill_ms = self.spec.prefill_us_per_token * uncached as f64 / 1e3;
        let wait = Nanos::from_ms(self.spec.ttft.sample(&mut self.rng) + prefill_ms);
        let mut plan = Plan {
            tokens,
            reasoning,
            reason,
            per_frame: u64::from(self.spec.tokens_per_frame),
            middle: 0,
            first_due_ns: started_ns + wait.0,
            received_ns: truth.line.received_ns,
        };
        let frames = plan.frames();
        plan.middle = (frames / 2).min(3);
        // Longer answers grow their lists: a limit that is never reached should not cost memory.
        truth.reserve(frames.min(1 << 16) as usize);
        plan
    }

    /// The time of one decoding step, in nanoseconds.
    fn step_ns(&mut self) -> i64 {
        let slowdown = self.scheduler.slowdown();
        let step_ms = match self.spec.itl {
            Distribution::Constant(ms) => ms,
            drawn => drawn.sample(&mut self.rng),
        };
        Nanos::from_ms(step_ms * slowdown).0
    }

    /// The counts to report after `output` tokens, `reasoning` of them before the answer.
    fn usage(&self, truth: &TruthRecord, output: u64, reasoning: u64) -> Option<Usage> {
        if !self.spec.usage || self.fault == Some(Fault::NoUsage) {
            return None;
        }
        let prompt = self.ask.prompt.count();
        if self.fault == Some(Fault::PartialUsage) {
            return Some(Usage { prompt, ..Usage::default() });
        }
        Some(Usage {
            prompt,
            completion: Some(output),
            cached: truth.line.cached_tokens,
            reasoning: (reasoning > 0).then_some(reasoning),
        })
    }

    fn writer(&self, plan: &Plan) -> Writer {
        Writer::new(
            self.dialect,
            &Facts {
                model: self.ask.model.as_deref().unwrap_or(&self.spec.model),
                id: self.id,
                created_s: chrono::Utc::now().timestamp(),
                reasoned: plan.reasoning,
                fault: self.fault,
            },
        )
    }

    async fn stream(
        &mut self,
        connection: &mut Connection,
        truth: &mut TruthRecord,
        plan: &Plan,
    ) -> io::Result<bool> {
        let writer = self.writer(plan);
        let mut sink = Sink::new(self.dialect, self.fault);
        let single_bytes = self.fault == Some(Fault::ByteByByte);
        let kind = sink.content_type();
        write_head(&mut sink.out, 200, kind, BodyLength::Chunked, self.extra_head);
        truth.line.status = Some(200);
        connection.write(&sink.out).await?;

        let continuous = self.ask.continuous_usage || self.fault == Some(Fault::ContinuousUsage);
        let counts = |this: &Self, truth: &TruthRecord, output: u64, always: bool| {
            (always || continuous).then(|| this.usage(truth, output, output.min(plan.reasoning))).flatten()
        };
        sink.out.clear();
        if self.spec.role_frame != RoleFrame::Off || self.dialect.must_open() {
            let usage = counts(self, truth, 0, self.dialect == Dialect::Anthropic);
            writer.opening(&mut sink, usage.as_ref());
        }
        if self.spec.role_frame == RoleFrame::Early {
            send(connection, &sink.out, single_bytes).await?;
            sink.out.clear();
        }

        let (mut due_ns, mut first, mut frame) = (plan.first_due_ns, 0, 0);
        while first < plan.tokens {
            if frame == 0 {
                tokio::select! {
                    biased;
                    () = self.pacer.until(due_ns) => {}
                    () = connection.closed() => return Err(io::ErrorKind::ConnectionAborted.into()),
                }
                if !sink.out.is_empty() {
                    send(connection, &sink.out, single_bytes).await?;
                }
            } else {
                self.pacer.until(due_ns).await;
            }
            sink.out.clear();
            let mut oddity = None;
            if frame == plan.middle {
                match self.fault {
                    Some(Fault::Stall) => {
                        connection.closed().await;
                        return Ok(false);
                    }
                    Some(Fault::ErrorEvent) => {
                        let (name, error) = self.dialect.error_event();
                        sink.data(name, error);
                        if matches!(self.dialect, Dialect::Chat | Dialect::Completions) {
                            writer.end_marker(&mut sink);
                        }
                        sink.close();
                        connection.write(&sink.out).await?;
                        return Ok(true);
                    }
                    Some(Fault::InvalidJson) => sink.data("", BROKEN_JSON),
                    Some(Fault::InvalidUtf8 | Fault::HugeFrame) => oddity = self.fault,
                    _ => {}
                }
            }
            let piece = plan.piece(first);
            first += piece.tokens;
            let finish = piece.last.then(|| plan.finish(due_ns));
            let usage = counts(self, truth, first, self.dialect.counts_always());
            let told = finish.as_ref().filter(|_| self.fault != Some(Fault::NoDone));
            writer.piece(&mut sink, piece, oddity, usage.as_ref(), told);
            if frame == plan.middle && self.fault == Some(Fault::Cut) {
                connection.write(&sink.out[..sink.out.len() / 2]).await?;
                return Ok(false);
            }
            truth.frame(piece.tokens as u32);
            send(connection, &sink.out, single_bytes).await?;
            frame += 1;
            if let Some(finish) = finish {
                sink.out.clear();
                self.tail(&mut sink, &writer, truth, &finish);
                send(connection, &sink.out, single_bytes).await?;
            } else {
                due_ns += self.step_ns();
            }
        }
        Ok(true)
    }

    /// All that follows the last output, which is written at once.
    fn tail(&self, sink: &mut Sink, writer: &Writer, truth: &TruthRecord, finish: &Finish) {
        if self.fault == Some(Fault::NoDone) {
            sink.close();
            return;
        }
        let usage = self.usage(truth, finish.output_tokens, finish.reasoning_tokens);
        let on_finish = self.dialect.counts_at_finish()
            || self.ask.continuous_usage
            || matches!(self.fault, Some(Fault::UsageOnFinish | Fault::ContinuousUsage));
        writer.finish(sink, finish, usage.as_ref().filter(|_| on_finish));
        let wanted = self.ask.include_usage && self.fault != Some(Fault::UsageOnFinish);
        if let Some(usage) = usage.filter(|_| wanted) {
            writer.usage(sink, &usage);
        }
        if self.fault != Some(Fault::NoDoneFinished) {
            writer.end_marker(sink);
        }
        sink.close();
    }

    async fn whole(
        &mut self,
        connection: &mut Connection,
        truth: &mut TruthRecord,
        plan: &Plan,
    ) -> io::Result<bool> {
        let mut due_ns = plan.first_due_ns;
        // What is not generated is there when the first token would be.
        let steps = plan.frames().max(1);
        for step in 0..steps {
            tokio::select! {
                biased;
                () = self.pacer.until(due_ns) => {}
                () = connection.closed() => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
            if step + 1 < steps {
                due_ns += self.step_ns();
            }
        }
        let writer = self.writer(plan);
        let usage = self.usage(truth, plan.tokens, plan.reasoning);
        let mut json = Vec::new();
        match self.fault {
            Some(Fault::ErrorEvent) => json.extend_from_slice(self.dialect.error_event().1),
            _ if self.dialect.is_pooled() => {
                writer.pooled(&mut json, self.ask.items, self.ask.dimensions, usage.as_ref());
            }
            fault => writer.whole(&mut json, &plan.finish(due_ns), usage.as_ref(), fault),
        }
        if self.fault == Some(Fault::InvalidJson) {
            json.truncate(json.len() / 2);
        }
        let mut out = Vec::with_capacity(json.len() + 256);
        write_head(&mut out, 200, "application/json", BodyLength::Known(json.len()), self.extra_head);
        let half = out.len() + json.len() / 2;
        out.extend_from_slice(&json);
        truth.line.status = Some(200);
        match self.fault {
            Some(Fault::Cut) => {
                connection.write(&out[..half]).await?;
                return Ok(false);
            }
            Some(Fault::Stall) => {
                connection.write(&out[..half]).await?;
                connection.closed().await;
                return Ok(false);
            }
            Some(Fault::ErrorEvent) => {}
            _ if self.dialect.is_pooled() => {}
            _ => truth.frame(u32::try_from(plan.tokens).unwrap_or(u32::MAX)),
        }
        send(connection, &out, self.fault == Some(Fault::ByteByByte)).await?;
        Ok(true)
    }
}

#[inline]
async fn send(connection: &mut Connection, bytes: &[u8], single: bool) -> io::Result<()> {
    if single { connection.write_single_bytes(bytes).await } else { connection.write(bytes).await }
}

const BROKEN_JSON: &[u8] = b"{\"choices\":[{\"index\":0,\"delta\":{\"content\":";
