// The pictures of the report, as SVG in HTML: lengths are percents of the width that there is, so that the
// page can be narrow, and texts keep their size. Colours are classes of report.css.
#pragma once

#include <optional>

#include "launch/report_page/markup.h"
#include "results/run_record.h"
#include "results/trace_record.h"

namespace layerpipe::launch {

// Per rank: loading, encoding, denoising and decoding, one after another, with their seconds.
void draw_timeline(Markup& page, const results::RunRecord& record);

// Per stage: busy, waiting and idle while denoising.
void draw_shares(Markup& page, const results::RunRecord& record);

// Per rank and phase: the peak that was predicted and the one that was measured.
void draw_memory(Markup& page, const results::RunRecord& record);

// The seconds of every step, and what was predicted.
void draw_steps(Markup& page, const results::RunRecord& record);

// What every rank did in a few steps in the middle of the run; says so when the trace holds no steps.
void draw_pipeline(Markup& page, const results::RunRecord& record, const results::RecordedTrace& trace);

}  // namespace layerpipe::launch
