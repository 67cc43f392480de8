#pragma once

/// The engine's insides, shared by the files that make it up.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bisect/engine.h"
#include "bisect/engine_amplification.h"
#include "bisect/engine_evidence.h"
#include "bisect/engine_follow_up.h"
#include "bisect/engine_posterior.h"
#include "bisect/engine_repeats.h"
#include "bisect/engine_select.h"
#include "stats/e_value.h"
#include "stats/process_spread.h"

namespace flakebisect::bisect {

/// An answer the engine may give: a kind and its tests.
struct Answer {
  Kind kind = Kind::inconclusive;
  std::vector<TestIndex> tests;
  double probability = 0;
  double rate = 0;          ///< of the minimal reproduction
  double control_rate = 0;  ///< without the culprits
  auto key() const { return std::pair(kind, tests); }
};

/// A probe that was issued and not yet answered.
struct Pending {
  Probe probe;
  std::optional<Answer> target;  ///< what it confirms
  /// The outcome that was likelier when it was issued.
  bool likely_fails = false;
};

/// How a run of a confirmation ended. `unusable`: void, failed in another way, or not the list asked for,
/// which is no failure; `lost`: with its machine, or cut off, as if it had never been drawn.
enum class RunEnd : std::uint8_t { passed, failed, unusable, lost };
/// Where machines are lost, and for each member of a set, so many controls must have given a result,
inline constexpr std::uint64_t least_usable_controls = 3;
/// and both arms must be lost alike: Fisher's exact test at this level does not tell them apart.
inline constexpr double lost_alike_level = 0.05;

/// Minimal reproduction against its controls, for one answer. A set of polluters has a control for each
/// member, the others without it; all else has one. Each has a test of its own, in which the runs of the
/// reproduction and of that control count: every member must be needed, and what speaks for one says nothing
/// of another. Runs count in the order in which they were drawn, whenever they end: short runs of one arm
/// must not come first. One that gives nothing usable did not fail.
struct Confirmation {
  explicit Confirmation(std::size_t control_count = 1) : tests(control_count), controls(control_count) {}
  struct Run {
    std::optional<std::size_t> control;  ///< which; nothing: the reproduction
    double treatment_probability =
        0.5;  ///< of the reproduction's being drawn rather than one certain control
    double treatment_rate = 0, control_rate = 0;  ///< the bet
    std::optional<RunEnd> end;
  };
  std::map<std::uint64_t, Run> runs;               ///< by probe: those that do not count yet
  std::vector<stats::RandomisedTwoArmTest> tests;  ///< by control
  struct Ended {
    std::uint64_t runs = 0, usable = 0, lost = 0;
  };
  Ended treatments;
  std::vector<Ended> controls;

  /// Counts what was drawn before the first that has not ended.
  void count();
  /// log of the least e-value that a control has ever reached.
  double highest_log_e() const;
  /// Whether the controls that gave no result leave enough that did to show that the victim passes there.
  bool controls_suffice() const;
};

/// The arms of a confirmation. The victim fails more after `treatment` than after each of `controls`.
struct Arms {
  std::vector<TestIndex> treatment;
  std::vector<std::vector<TestIndex>> controls;
};

/// How much likelier the outcomes must be under the kind of the verdict than under another kind (levels of
/// engine_posterior.h). Most where a polluter's victim that also fails alone now and then, or one that needs
/// a test which the failing run did not have, could pass for 'self'.
double evidence_needed(std::size_t answer, std::size_t other);
/// Share of the time that the full list gets while no answer leads: at least, and where only explanations are
/// left that need many tests.
inline constexpr double least_full_list_share = 0.05;
inline constexpr double full_list_share = 0.5;
/// What the list has shown by so many failures needs only half of that time.
inline constexpr double full_list_failures_for_half = 2;
/// Before the first failure at least so much: how often it fails decides what each other probe is worth.
inline constexpr double unseen_full_list_share = 0.25;
/// And where its first result takes no longer than this, it is asked for before anything else: no search,
/// however short, should end without having seen what the recorded list does.
inline constexpr double quick_full_list_seconds = 10;
/// So often, where it gives nothing usable.
inline constexpr std::uint64_t quick_full_list_tries = 3;
/// Weighted failures in stored runs from which on its rate counts as seen.
inline constexpr double failures_that_tell_a_rate = 0.7;

/// From this posterior probability on, a search whose leading kind does not yet outweigh the others looks for
/// what tells it from the strongest of them.
inline constexpr double duel_from = 0.9;
/// With so many times the evidence needed a rival is ruled out even where the answer does not fit well.
inline constexpr double beyond_doubt = 250;

/// How much likelier a leak must make the outcomes than several polluters that nobody tells apart, which look
/// most like one.
inline constexpr double leak_above_several = 100;
/// The same of tests that are needed together.
inline constexpr double set_above_several = 20;
/// So many times as likely as all explanations together, several polluters are what is looked for.
inline constexpr double several_beyond_doubt = 20;

/// 'Self' is contradicted where the rate of the victim alone reaches what it predicts with no more than this
/// probability.
inline constexpr double contradicted_by_alone = 0.01;

/// A test that takes so many times its share of a list's time is left out where the number of tests matters.
inline constexpr double dear_test = 2;

/// The arm that one confirming probe drew.
struct ArmDraw {
  Arms arms;
  std::optional<std::size_t> control;  ///< of the arms' controls; nothing: the reproduction
  double treatment_probability = 0.5;  ///< as Confirmation::Run::treatment_probability
  const std::vector<TestIndex>& list() const { return control ? arms.controls[*control] : arms.treatment; }
};

/// 'Fails alone' must beat this rate: what a machine's hiccups could do.
inline constexpr double alone_null_rate = 0.0002;
/// Confirmation of the leading answer starts at this posterior probability.
inline constexpr double confirm_from = 0.5;

/// Of how many probes in flight, the last ones, every way to end is looked at; of the others the likeliest.
/// With hundreds in flight more would cost more than the probes.
inline std::size_t looked_at(std::size_t in_flight) {
  return in_flight <= 100 ? 12 : 3;
}
/// Probes in flight that settle a matter with this probability are waited for.
inline constexpr double good_as_sure = 0.8;

/// That a list which gave nothing has a test to blame, before its voids are counted: where tests of it had
/// not run in a usable probe before, and where all had.
inline constexpr double prior_of_blame_of_new_tests = 0.05;
inline constexpr double prior_of_blame_of_good_tests = 0.005;
/// So many runs of a list without one that is usable, and it is given up.
inline constexpr std::uint64_t voids_of_a_list = 12;
/// So many in a row, whatever was run, and so is the search.
inline constexpr std::uint64_t voids_of_a_search = 100;
/// Results behind the whole list, or nine tenths of it, that 'not reproduced' needs: how often it failed in
/// the stored runs, perhaps elsewhere, is no reason to believe sooner that it does not fail here.
inline constexpr std::uint64_t list_results_of_not_reproduced = 10;
/// Failures of the reproduction itself that a verdict needs.
inline constexpr std::uint64_t failures_of_reproduction = 2;

/// From here on 'self' is not searched for but tested: each probe is one whose failure would settle it.
inline constexpr double settle_from = 0.5;
/// So many probes should do.
inline constexpr std::uint64_t settling_probes = 200;

/// Where servers are warm, a confirmation starts in a new process, and again after so many of its probes.
inline constexpr std::uint64_t confirming_runs_of_a_process = 10;

/// Runs that share a process are taken to be correlated so much: the mean of the field.
inline constexpr double assumed_correlation = 0.05;

/// What the next run of a process is worth that has served `runs` already, `failures` of which failed: the
/// weights that make independent runs as likely as a Beta-distributed rate of each process would.
double weight_in_process(std::uint64_t runs, std::uint64_t failures, bool failed);

struct Engine::State {
  State(Problem problem_, EngineOptions options_);

  /// Posterior weights after all observations; recomputed only where something changed.
  const Weights& weights();
  /// Weights with the probes in flight but the last few assumed to end as they most likely will.
  Weights weights_with_pending();
  /// The ways in which the last few may end.
  Branches branches(const Weights& weights, std::uint32_t victim_runs) const;
  /// Probes in flight of this list.
  std::uint64_t running(const std::vector<TestIndex>& list) const;
  /// Whether the probes in flight will, as good as surely, settle the confirmation of an answer that holds:
  /// then another would be a waste.
  bool confirmation_on_its_way(const Answer& answer) const;
  /// The same of the failures that `list` must show for 'self'.
  bool failure_on_its_way(const std::vector<TestIndex>& list);
  /// All answers with their probabilities, best first, at most `most`.
  std::vector<Answer> answers(std::size_t most);
  const Answer& best();
  /// log of the e-value of the confirmation of an answer.
  double log_e(const Answer& answer) const;
  double log_e_needed() const;
  /// Whether `answer` would also be given by whoever thought each other kind as likely as its own beforehand:
  /// the chance that a kind's cases are mistaken for another kind is then bounded for each kind by itself,
  /// the rare ones too. `times` as much evidence as is needed (evidence_needed()).
  bool outweighs_other_kinds(const Answer& answer, double times = 1);
  /// The same of several polluters, each enough, for the kinds (level_...) that look like them: a leak, a
  /// set.
  bool outweighs_several(std::size_t kind);
  /// The list without tests of the failing run whose failure would settle 'self', at the least expected cost;
  /// nothing where no such list does.
  std::optional<std::vector<TestIndex>> settling_self(std::uint32_t victim_runs);
  /// Probability of drawing the reproduction rather than any of its controls: what gains most evidence per
  /// second.
  double treatment_share(const Arms& arms) const;
  /// The same among the reproduction and one of so many controls, when they share the rest alike.
  static double against_one_control(double share, std::size_t controls);
  /// Whether the whole list's turn has come: while no answer leads, a share of the time goes to it, because
  /// every explanation fails there, those that need many tests and those that no model here has among them.
  bool full_list_is_due();
  /// Whether the answer is 'self' although other tests, seemingly, make it fail at least twice as often, and
  /// none of its rivals that would explain this is ruled out beyond doubt.
  bool self_does_not_fit(const Answer& answer);
  /// Whether 'self' leads although the victim alone fails far too seldom for it: where several polluters,
  /// each enough, are in the lists, what each of them adds looks like a rise of a rate that is there without
  /// it.
  bool alone_contradicts_self(const Answer& answer);
  /// The shortest list that failed; the full one before.
  std::vector<TestIndex> shortest_failing_list() const;
  /// Drawn from the victim alone and a random half of that list, of which one polluter is left in the end:
  /// what tells it from all others, those that are enough as well.
  std::vector<TestIndex> one_of_several() const;
  /// Whether the whole list makes the victim of 'self' fail several times as often.
  ListMatters list_matters(const Answer& answer) const;
  /// All but that is settled: whether the whole list makes the victim of 'self' fail more often, or less.
  bool comparing_lists();
  /// The comparison to be made: the finest that is bearable at the victim's rate alone; null for none.
  const ListComparison* comparison_worth_it(const ComparedArms& arms) const;
  /// What it may be expected to cost: seconds, or probes where they are counted.
  double bearable(const ListComparison& comparison) const;
  /// And at which cost it is given up.
  double most_bearable(const ListComparison& comparison) const;
  /// The victim's runs alone since most of the list ran first.
  ArmCounts alone_since_list() const;
  /// Whether it makes it fail several times as seldom: then what fails alone is not the recorded failure.
  ListMatters list_protects(const Answer& answer) const;
  /// The list that stands for the whole one there: nearly all of it, without what takes longest.
  std::vector<TestIndex> compared_list() const;
  /// The next probe that finds out: the victim alone, or behind the whole list.
  std::vector<TestIndex> comparison_of_lists() const;
  /// Whether the probes in flight will exclude it if they end as 'self' predicts.
  bool comparison_on_its_way(const Answer& answer) const;
  /// For 'cumulative', where some tests ran in every failing probe: a list without some of them, and without
  /// the dearest. Only once it fails without each of them it is the number of tests that matters.
  std::vector<TestIndex> list_without_common() const;
  /// For 'cumulative', which several polluters look like: drawn from the whole list, a random quarter of it,
  /// after which a leak fails seldom and several polluters nearly as often, and a random half of the shortest
  /// list that failed, of which one polluter is left in the end.
  std::vector<TestIndex> leak_or_several() const;
  /// Whether all that the stopping rule asks holds but for the comparison of lists.
  bool nearly_settled();
  /// Whether the verdict has been reached. It is given when the evidence first suffices, and stands: the
  /// bounds on errors are those of that moment, and what runs afterwards (see start_follow_up(), and the
  /// caller's check that the reproduction fails with nothing beside it) answers other questions. Only 'not
  /// reproduced' is taken back where the next probe fails.
  bool settled();
  /// Whether the reproduction failed often enough, and in enough processes, and its controls gave results.
  bool reproduced_enough(const Answer& answer) const;
  /// Results behind the whole list that 'not reproduced' still lacks.
  std::uint64_t list_results_lacking() const;
  /// Whether that, and all else that a verdict must have seen, holds.
  bool seen_enough(const Answer& answer) const;
  /// `victim_runs`: 0 for as many as a probe of this list is best made with.
  Probe issue(std::vector<TestIndex> subset, Purpose purpose, std::optional<Answer> target,
              std::uint32_t victim_runs = 0);
  /// How often a probe best runs the victim that costs `seconds` with one run, where the victim fails at `in`
  /// where it can and at `out` else: what tells most for each second.
  std::uint32_t best_victim_runs(double seconds, double in, double out) const;
  /// The same with the rates that the explanations predict.
  std::uint32_t best_victim_runs(double seconds, const Weights& weights) const;
  /// The same of a confirmation of `answer`: one number for all its arms.
  std::uint32_t confirming_victim_runs(const Answer& answer) const;
  /// Where the victim seems to make itself fail: as many as show whether it does, at a bearable price.
  std::uint32_t telling_victim_runs(double seconds) const;
  /// What one more run in the same probe takes.
  double seconds_of_a_further_run() const;
  /// Expected cost of a probe of the list: seconds, or 1 where probes are counted.
  double cost_of(const std::vector<TestIndex>& list, std::uint32_t victim_runs, double rate) const;
  /// How often a probe best runs the victim whose rate, about `rate`, is to be measured: what gives most runs
  /// that count for each second.
  std::uint32_t measuring_victim_runs(double seconds, double rate) const;
  /// Whether later runs of the victim in one probe can be had, and count.
  bool can_repeat() const;
  /// Runs that count of a probe with so many at the most, where each fails at `rate`; one that fails is the
  /// last.
  double expected_worth(double rate, std::uint32_t runs) const;
  /// What a run that counts costs behind that list, where the victim runs as often as
  /// measuring_victim_runs() says.
  double cost_of_a_run(const std::vector<TestIndex>& list, double rate) const;
  /// The probe that tells most by `expected`.
  Choice choose(const Weights& expected, stats::Rng rng, bool look_at_flight = true);
  /// The test by which 'self' is confirmed: where the victim makes itself fail by running again, only its
  /// first runs are its own failure.
  const stats::RateAboveTest& alone_test() const {
    return repeats.later_failures_count() ? fails_alone : first_run_fails_alone;
  }
  /// The probe that confirms `answer`; in a new process now and then where servers are warm.
  Probe confirm(const Answer& answer);
  Probe confirming_probe(const Answer& answer);
  ArmDraw draw_arm(const Answer& answer, std::uint64_t probe_id) const;
  /// What a confirmation of `answer` compares.
  Arms arms_of(const Answer& answer) const;
  std::vector<TestIndex> full_list() const;
  /// No candidate ran that could have made the victim fail.
  bool is_alone(const std::vector<TestIndex>& ran) const;
  void observe(const Observation& observation);
  /// Whether it is the whole list, or nine tenths of it.
  bool most_of_list(const std::vector<TestIndex>& asked) const;
  /// What a probe of this list was expected to cost.
  void learn_cost(const std::vector<TestIndex>& asked, std::uint32_t victim_runs);
  /// The arm and the bet of a probe that confirms `answer`.
  void expect(const Answer& answer, std::uint64_t probe_id, const ArmDraw& draw);
  /// A probe of a confirmation has ended; `usable`: it passed or failed, and ran as asked.
  void end_confirmation(const Answer& answer, std::uint64_t probe_id, RunEnd end);
  /// A probe of `list` gave nothing usable: which tests may be to blame (Candidate::void_share), so that
  /// lists without them are tried.
  void learn_void(const std::vector<TestIndex>& list);
  void learn_usable(const std::vector<TestIndex>& ran);
  /// One usable result of the past, for counting it anew where it has become clear what runs of one process
  /// are worth. Each is kept: a session that was begun with repeated runs may go on without.
  struct Seen {
    SubsetBits list;
    bool failed = false;
    Source source = Source::probe;
    double weight = 1;
    std::uint64_t process = 0;
    std::uint32_t victim_runs = 1;
  };
  /// Adds it to evidence and posterior.
  void count(const std::vector<TestIndex>& ran, const Seen& seen);
  void share_out_voids();
  /// Whether a list that the next steps cannot do without gives nothing, again and again; said in `stuck`.
  bool gives_nothing(const std::vector<TestIndex>& list);
  Verdict verdict();
  /// The verdict as the search itself reached it.
  Verdict own_verdict(bool final);
  /// What was seen of the lists that a reader wants to see.
  std::vector<Arm> arms(Kind kind, const std::vector<TestIndex>& culprits) const;
  /// Where the verdict names polluters and more was asked for: starts to look.
  void start_follow_up();
  bool follow_up_done() const;
  /// The next probe of what is looked for after the verdict; nothing where its probes in flight must end
  /// first.
  std::optional<Probe> follow_up_probe();
  void observe_follow_up(const Observation& observation);

  /// Start-up is what probes were seen to cost beside their tests.
  void learn_overhead(const Observation& observation);

  Problem problem;
  const EngineOptions options;
  const double told_startup_seconds;
  double overhead_seconds = 0;
  std::uint64_t overhead_runs = 0;
  double probed_seconds = 0, full_list_seconds = 0;  ///< expected cost of the probes made; of the full list's
  double compared_seconds = 0;                       ///< of those of most of the list
  std::uint64_t list_results = 0;                    ///< probes of most of the list that passed or failed
  Evidence evidence;
  Posterior posterior;
  Repeats repeats;
  std::vector<Seen> seen;
  std::optional<Weights> cached_weights;
  std::optional<Answer> cached_best;
  std::map<std::pair<Kind, std::vector<TestIndex>>, Confirmation> confirmations;
  stats::RateAboveTest fails_alone{alone_null_rate};
  stats::RateAboveTest first_run_fails_alone{alone_null_rate};  ///< the first run of each process only
  std::map<std::uint64_t, Pending> in_flight;
  std::uint64_t issued = 0;
  std::uint64_t next_id = 1;
  std::uint64_t void_probes = 0;
  std::uint64_t unusable_probes = 0;  ///< of the search: void, or failed in another way
  std::uint64_t voids_in_a_row = 0;   ///< likewise
  std::map<std::vector<TestIndex>, std::uint64_t> voids_of;  ///< by list, as asked
  std::vector<TestIndex> void_suspects;                      ///< ascending: of the probes that gave nothing
  std::uint64_t suspect_voids = 0;                           ///< since these are suspected
  double prior_of_blame = 0;                                 ///< that one of them is to blame
  std::vector<bool> ran_usably;                              ///< of the candidates
  std::string stuck;  ///< why the search ended without an answer, where it did
  std::uint64_t other_failures = 0;
  bool waiting = false;
  std::map<std::uint64_t, stats::ProcessRuns> runs_in_process;
  std::uint64_t confirming_runs = 0;     ///< issued since a confirmation last asked for a new process
  std::optional<Verdict> final_verdict;  ///< as it was reached; never 'not reproduced'
  std::optional<CleanerSearch> cleaner_search;
  std::optional<FurtherSearch> further_search;
};

}  // namespace flakebisect::bisect
