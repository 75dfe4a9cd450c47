//! Words of a line. keepalived splits ordinary lines and command lines by different rules.

/// The words of an ordinary line: white space parts them, and `"` holds one together. There are no escapes, `'` is a
/// character like any other, and a `"` inside a word begins the next one. `None` where a `"` is never closed.
pub(super) fn plain(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = tail.trim_start();
    }
    Some(words)
}

/// A word of a command line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Word {
    pub text: String,
    /// Whether any of it was quoted or escaped, so that a shell would not look into it.
    pub quoted: bool,
}

/// The words of a command line: `"` and `'` hold together, also within a word, and `\` escapes. `None` where a quote is
/// never closed.
pub(super) fn command(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default().quoted = true;
            }
            ('\\', _) => {
                let word = word.get_or_insert_default();
                word.quoted = true;
                word.text.extend(escape(&mut chars));
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().text.push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// What follows a `\`.
fn escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    let digits = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>, radix, most| {
        let mut value = 0_u32;
        let mut seen = 0;
        while let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix)).filter(|_| seen < most) {
            value = value.wrapping_mul(radix).wrapping_add(digit);
            seen += 1;
            chars.next();
        }
        char::from_u32(value & 0xff)
    };
    if chars.peek().is_some_and(|c| c.is_digit(8)) {
        return digits(chars, 8, 3);
    }
    Some(match chars.next()? {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'E' => '\u{1b}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        'x' => return digits(chars, 16, usize::MAX),
        'c' => char::from_u32(u32::from(chars.next()?) & 0x1f)?,
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_words() {
        for (text, words) in [
            ("priority  100", &["priority", "100"][..]),
            ("auth_pass \"a b\tc\"", &["auth_pass", "a b\tc"]),
            ("auth_pass 'a b'", &["auth_pass", "'a", "b'"]),
            ("auth_pass a\"b\"c", &["auth_pass", "a", "b", "c"]),
            ("x \"\" y", &["x", "", "y"]),
            ("x a\\tb", &["x", "a\\tb"]),
            ("", &[]),
        ] {
            assert_eq!(plain(text).expect("closed"), words, "{text}");
        }
        assert_eq!(plain("x \"never closed"), None);
    }

    #[test]
    fn words_of_commands() {
        for (text, words) in [
            ("/bin/echo a  b", &["/bin/echo", "a", "b"][..]),
            ("/bin/echo 'a b' \"c d\"", &["/bin/echo", "a b", "c d"]),
            ("abcd\" efg h jkl \"mnop", &["abcd efg h jkl mnop"]),
            ("a\\ b \\\" \\\\ \\x41 \\101 \\t \\cA", &["a b", "\"", "\\", "A", "A", "\t", "\u{1}"]),
            ("a ''", &["a", ""]),
        ] {
            let split: Vec<String> = command(text).expect("closed").into_iter().map(|word| word.text).collect();
            assert_eq!(split, words, "{text}");
        }
        assert_eq!(command("a 'never closed"), None);
    }
}
