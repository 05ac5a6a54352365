//! Nicknames of American English and the names they stand for. Those that stand for several, such as Alex, Chris, Pat or Sam, are
//! left out: in one house they are as often two people.

/// Names, each with its nicknames and its other spellings.
const NAMES: &[(&str, &[&str])] = &[
    ("abigail", &["abby", "gail"]),
    ("andrew", &["andy", "drew"]),
    ("anthony", &["tony"]),
    ("barbara", &["barb"]),
    ("benjamin", &["ben", "benny"]),
    ("catherine", &["cathy", "katherine", "kate", "kathleen", "kathryn", "kathy", "katie"]),
    ("charles", &["charlie", "chuck"]),
    ("cynthia", &["cindy"]),
    ("daniel", &["dan", "danny"]),
    ("david", &["dave"]),
    ("deborah", &["deb", "debbie", "debra"]),
    ("donald", &["don", "donnie"]),
    ("edward", &["ed", "eddie"]),
    ("elizabeth", &["beth", "betsy", "betty", "elisabeth", "liz", "lizzie"]),
    ("eugene", &["gene"]),
    ("gregory", &["greg"]),
    ("jacob", &["jake"]),
    ("james", &["jim", "jimmy"]),
    ("jeffrey", &["geoffrey", "jeff"]),
    ("jennifer", &["jen", "jenny"]),
    ("jessica", &["jess"]),
    ("john", &["jack", "johnny"]),
    ("jonathan", &["jon"]),
    ("joseph", &["joe", "joey"]),
    ("joshua", &["josh"]),
    ("kenneth", &["ken", "kenny"]),
    ("kimberly", &["kim"]),
    ("lawrence", &["larry"]),
    ("leonard", &["len", "lenny"]),
    ("margaret", &["maggie", "meg", "peggy"]),
    ("matthew", &["matt"]),
    ("michael", &["mike"]),
    ("nathaniel", &["nate"]),
    ("nicholas", &["nick"]),
    ("pamela", &["pam"]),
    ("peter", &["pete"]),
    ("philip", &["phil", "phillip"]),
    ("raymond", &["ray"]),
    ("rebecca", &["becky"]),
    ("richard", &["dick", "rich", "rick"]),
    ("robert", &["bob", "bobby", "rob"]),
    ("ronald", &["ron", "ronnie"]),
    ("stephen", &["steve", "steven"]),
    ("susan", &["sue", "susie"]),
    ("thomas", &["tom", "tommy"]),
    ("timothy", &["tim"]),
    ("victoria", &["vicky"]),
    ("vincent", &["vince"]),
    ("virginia", &["ginny"]),
    ("walter", &["walt"]),
    ("william", &["bill", "billy", "will"]),
    ("zachary", &["zach", "zack"]),
];

/// The name that a nickname stands for; any other as it is. In small letters.
pub fn formal(name: &str) -> &str {
    NAMES.iter().find(|(_, short)| short.contains(&name)).map_or(name, |(formal, _)| *formal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_stands_for_one_name() {
        let all: Vec<&str> = NAMES.iter().flat_map(|(formal, short)| [&[*formal][..], short].concat()).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "none stands there twice");
        assert_eq!((formal("bob"), formal("robert"), formal("joan")), ("robert", "robert", "joan"));
    }
}
