//! Groups that exclude by line: whose each line is.

use super::super::apply::State;
use super::super::runs::Run;
use super::SCALE;
use super::search::Search;
use crate::prelude::*;
use crate::set::LineSet;

/// Most lines whose sharing is gone through; of more the best that is found by improvement is taken.
const MOST_LINES: usize = 256;

/// A group whose lines are shared out.
struct Sharing {
    group: usize,
    members: Vec<usize>,
    /// Lines that any member could work on.
    lines: Vec<u32>,
    /// By member and line, at most so much it can take off there.
    table: Vec<Vec<i128>>,
}

/// Whose each line is, by the number of the member.
type Choice = Vec<Option<usize>>;

impl Search<'_, '_> {
    /// Tries ways to share lines out for a good combination to begin with: to whoever could give most on
    /// each line, all to one member, and from the best of these line by line to whoever makes it better.
    pub(super) fn incumbent_of_lines(&mut self, chosen: &[usize]) {
        let begin = self.pricing.begin();
        let groups: Vec<Sharing> = self.shared.clone().into_iter().map(|group| self.sharing(group, &begin)).collect();
        let mut choices: Vec<Choice> = groups.iter().map(Sharing::by_ceiling).collect();
        self.price(&groups, &choices, chosen);
        for place in 0..groups.len() {
            let mut best = choices[place].clone();
            for member in 0..groups[place].members.len() {
                choices[place] =
                    groups[place].lines.iter().map(|line| self.touches(groups[place].members[member], *line).then_some(member)).collect();
                if self.price(&groups, &choices, chosen) {
                    best.clone_from(&choices[place]);
                }
            }
            choices[place] = best;
            self.improve(&groups, &mut choices, place, chosen);
        }
    }

    /// Gives single lines to other members as long as that makes it better, within a quarter of the work.
    fn improve(&mut self, groups: &[Sharing], choices: &mut [Choice], place: usize, chosen: &[usize]) {
        let most = self.work + self.pricing.context.most_trials / 4;
        let sharing = &groups[place];
        let mut better = true;
        while core::mem::take(&mut better) {
            for line in 0..sharing.lines.len() {
                for member in 0..sharing.members.len() {
                    if self.work > most {
                        return;
                    }
                    if choices[place][line] == Some(member) || !self.touches(sharing.members[member], sharing.lines[line]) {
                        continue;
                    }
                    let before = choices[place][line].replace(member);
                    if self.price(groups, choices, chosen) {
                        better = true;
                    } else {
                        choices[place][line] = before;
                    }
                }
            }
        }
    }

    /// Prices one way to share lines out; whether it is the best so far.
    fn price(&mut self, groups: &[Sharing], choices: &[Choice], chosen: &[usize]) -> bool {
        let mut state = self.pricing.begin();
        for (sharing, choice) in groups.iter().zip(choices) {
            self.assign(sharing, choice, &mut state);
        }
        self.run(&mut state, &|place| chosen.binary_search(&place).is_ok());
        self.keep_if_better(state)
    }

    fn sharing(&self, group: usize, state: &State) -> Sharing {
        let members: Vec<usize> = (0..self.order.len()).filter(|place| self.active(*place).rule.group == Some(group)).collect();
        let count = u32::try_from(self.pricing.basket.lines.len()).unwrap_or(u32::MAX);
        let lines: Vec<u32> = (0..count).filter(|line| members.iter().any(|member| self.touches(*member, *line))).collect();
        let runs_of = |line: &u32| -> &[Run] {
            let first = state.runs.partition_point(|run| run.line < *line);
            let end = state.runs.partition_point(|run| run.line <= *line);
            &state.runs[first..end]
        };
        let ceilings =
            |member: &usize| lines.iter().map(|line| self.pricing.line_ceiling(self.active(*member), state, runs_of(line))).collect();
        let table = members.iter().map(ceilings).collect();
        Sharing { group, members, lines, table }
    }

    /// Whether a member could work on a line.
    fn touches(&self, member: usize, line: u32) -> bool {
        self.active(member).effect_lines().iter().any(|lines| lines.contains(line))
    }

    fn assign(&self, sharing: &Sharing, choice: &Choice, state: &mut State) {
        let count = self.pricing.basket.lines.len();
        let mut owner: Vec<Option<usize>> = vec![None; count];
        sharing.lines.iter().zip(choice).for_each(|(line, member)| owner[*line as usize] = *member);
        for (number, member) in sharing.members.iter().enumerate() {
            let own = LineSet::of(count, |line| owner[line] == Some(number));
            state.assigned.push((sharing.group, self.order[*member], own));
        }
    }

    /// Goes through all ways to share the lines of a group out among its members.
    pub(super) fn share_out(&mut self, group: usize, place: usize, state: &State) {
        let sharing = self.sharing(group, state);
        self.work += (sharing.members.len() * sharing.lines.len()) as u64 / 8;
        // A rounding of each member's whole amount can add to it.
        let slack: i128 = sharing.members.iter().map(|member| self.rounding_of(*member, state)).sum();
        let beyond: i128 = sharing.members.iter().map(|member| self.pricing.beyond_lines(self.active(*member), state)).sum();
        let others = state.benefit * SCALE + self.ahead(place, state, Some(group))[place] + slack + beyond;
        let most = |line: usize| sharing.table.iter().map(|member| member[line]).max().unwrap_or(0);
        // What the lines from each on can give at most.
        let mut ahead = vec![others; sharing.lines.len() + 1];
        for line in (0..sharing.lines.len()).rev() {
            ahead[line] = ahead[line + 1] + most(line);
        }
        if sharing.lines.len() > MOST_LINES {
            // Too many to go through: what was found by improvement stands, and this is the bound.
            let known = self.best.as_ref().map_or(-1, |best| best.benefit);
            if ahead[0] >= (known + 1) * SCALE {
                self.open = self.open.max(ahead[0]);
            }
            return;
        }
        self.share_line(&sharing, place, &ahead, &mut Vec::new(), 0, state);
    }

    fn share_line(&mut self, sharing: &Sharing, place: usize, ahead: &[i128], choice: &mut Choice, given: i128, state: &State) {
        self.work += 1;
        let line = choice.len();
        if self.cut_off(given + ahead[line]) {
            return;
        }
        if line == sharing.lines.len() {
            let mut shared = state.clone();
            self.assign(sharing, choice, &mut shared);
            return self.walk(place, shared);
        }
        let touching = (0..sharing.members.len()).filter(|member| self.touches(sharing.members[*member], sharing.lines[line]));
        let mut options: Vec<Option<usize>> = touching.map(Some).collect();
        let ceiling = |option: &Option<usize>| option.map_or(0, |member| sharing.table[member][line]);
        options.sort_by_key(|option| core::cmp::Reverse(ceiling(option)));
        options.push(None);
        for option in options {
            choice.push(option);
            self.share_line(sharing, place, ahead, choice, given + ceiling(&option), state);
            choice.pop();
        }
    }
}

impl Sharing {
    /// Each line to whoever could take most off there, of equals to the first.
    fn by_ceiling(&self) -> Choice {
        let best = |line: usize| {
            let worth = |member: &usize| (self.table[*member][line], core::cmp::Reverse(*member));
            (0..self.members.len()).filter(|member| self.table[*member][line] > 0).max_by_key(worth)
        };
        (0..self.lines.len()).map(best).collect()
    }
}
