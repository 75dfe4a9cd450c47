//! `~SEQ`, `~LST` and brace expressions: one line that stands for many.

/// More rounds than any configuration has, and more alternatives than any pattern.
const MOST: usize = 100_000;

/// A loop's head, up to its closing parenthesis, and the line that is repeated.
pub(super) fn head(text: &str) -> Option<(&str, &str)> {
    let end = text.find(')')? + 1;
    Some((&text[..end], text[end..].trim_start()))
}

/// What each round of a loop defines; `None` where the head makes no sense.
pub(super) fn rounds(head: &str) -> Option<Vec<Vec<(String, String)>>> {
    let (kind, arguments) = head.strip_suffix(')')?.split_once('(')?;
    match kind.trim() {
        "~SEQ" => sequence(arguments, false),
        "~SEQx" => sequence(arguments, true),
        "~LST" => list(arguments),
        _ => None,
    }
}

fn sequence(arguments: &str, hexadecimal: bool) -> Option<Vec<Vec<(String, String)>>> {
    let mut arguments = arguments.split(',').map(str::trim);
    let name = arguments.next().filter(|name| !name.is_empty())?.to_owned();
    let numbers: Vec<i64> = arguments.map(number).collect::<Option<_>>()?;
    let towards = |first: i64, last: i64| if last < first { -1 } else { 1 };
    let (first, step, last) = match numbers[..] {
        [last] => {
            let first = if last > 0 { 1 } else { -1 };
            (first, towards(first, last), last)
        }
        [first, last] => (first, towards(first, last), last),
        [first, step, last] => (first, step, last),
        _ => return None,
    };
    let passed = |value: i64| if step > 0 { value > last } else { value < last };
    let values = std::iter::successors(Some(first), |value| value.checked_add(step));
    let shown = |value: i64| match (hexadecimal, value < 0) {
        (false, _) => value.to_string(),
        (true, false) => format!("{value:x}"),
        (true, true) => format!("-{:x}", value.unsigned_abs()),
    };
    (step != 0).then(|| {
        values.take_while(|value| !passed(*value)).take(MOST).map(|value| vec![(name.clone(), shown(value))]).collect()
    })
}

fn number(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let parsed = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    parsed.ok()?.checked_mul(sign)
}

fn list(arguments: &str) -> Option<Vec<Vec<(String, String)>>> {
    let mut items = items(arguments).into_iter();
    let names = items.next().filter(|names| names.iter().all(|name| !name.is_empty()))?;
    let rounds = items.take(MOST).map(|values| {
        let values = values.into_iter().chain(std::iter::repeat(String::new()));
        names.iter().cloned().zip(values).collect()
    });
    Some(rounds.collect())
}

/// `{a, b}, {1, 2}` or `a, 1, 2`: what commas part, each a list of its own.
fn items(text: &str) -> Vec<Vec<String>> {
    let mut items = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let braced = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (item, tail) = if let Some((inner, tail)) = braced {
            (inner.split(',').map(|part| part.trim().to_owned()).collect(), tail)
        } else {
            let (item, tail) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            (vec![item.trim().to_owned()], tail)
        };
        items.push(item);
        rest = tail.trim_start().trim_start_matches(',').trim_start();
    }
    items
}

/// The patterns that a pattern with `{a,b}` stands for.
pub(super) fn braces(pattern: &str) -> Vec<String> {
    let mut waiting = vec![pattern.to_owned()];
    let mut plain = Vec::new();
    while let Some(pattern) = waiting.pop().filter(|_| plain.len() + waiting.len() < 1_000) {
        match first_choice(&pattern) {
            Some((before, choices, after)) => {
                waiting.extend(choices.iter().rev().map(|choice| format!("{before}{choice}{after}")));
            }
            None => plain.push(pattern),
        }
    }
    plain
}

/// The first `{...}` that is closed: what stands before it, what it offers, and what stands after it.
fn first_choice(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let open = pattern.find('{')?;
    let inner = &pattern[open + 1..];
    let (mut depth, mut start, mut choices) = (0_usize, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match (c, depth) {
            ('{', _) => depth += 1,
            ('}', 0) => {
                choices.push(&inner[start..at]);
                return Some((&pattern[..open], choices, &inner[at + 1..]));
            }
            ('}', _) => depth -= 1,
            (',', 0) => {
                choices.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(head: &str) -> Option<String> {
        let round = |round: Vec<(String, String)>| {
            round.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
        };
        Some(rounds(head)?.into_iter().map(round).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn loops() {
        for (head, expected) in [
            ("~SEQ(N, 0, 3)", Some("N=0 N=1 N=2 N=3")),
            ("~SEQ(N,3)", Some("N=1 N=2 N=3")),
            ("~SEQ(N,-2)", Some("N=-1 N=-2")),
            ("~SEQ(N,168,2,172)", Some("N=168 N=170 N=172")),
            ("~SEQ(N,3,1)", Some("N=3 N=2 N=1")),
            ("~SEQx(N, 0x90, 0x10, 0xb0)", Some("N=90 N=a0 N=b0")),
            ("~LST(A, 1, b)", Some("A=1 A=b")),
            ("~LST({A, B}, {10,1},{20,4})", Some("A=10,B=1 A=20,B=4")),
            ("~SEQ(N,1,0,2)", None),
            ("~SEQ(N,x)", None),
            ("~SEQ()", None),
            ("~WHAT(N,1)", None),
        ] {
            assert_eq!(shown(head).as_deref(), expected, "{head}");
        }
        assert_eq!(rounds("~SEQ(N,0,9223372036854775807)").expect("a loop").len(), MOST);
    }

    #[test]
    fn brace_expressions() {
        for (pattern, expected) in [
            ("a.conf", &["a.conf"][..]),
            ("{a,b}.conf", &["a.conf", "b.conf"]),
            ("{foo/{,cat,dog},bar}", &["foo/", "foo/cat", "foo/dog", "bar"]),
            ("a}b{", &["a}b{"]),
        ] {
            assert_eq!(braces(pattern), expected, "{pattern}");
        }
    }
}
