"""The table of the tokenizer in `ptb.py`: one rule for each kind of token.

Learned from what the Stanford tokenizer 3.4.1 does with many thousand lines, and from
the Penn Treebank's own conventions. A rule is (token, context, write):

token : the characters of the token. context : what must follow it.
write : function that turns the characters into what is written; None: as they are.

Where upper or lower case does not matter a pattern says so: (?i:...).

Knows: kinds of tokens. Does not know: which rule wins.
"""

import re
from collections.abc import Callable

QUOTES = {"'": "'", "\u2019": "'", "\x92": "'", "\u203a": "'", "&apos;": "'",
          "\u2018": "`", "\x91": "`", "\u201b": "`", "\u2039": "`",
          "\u201c": "``", "\x93": "``", "\xab": "``",
          "\u201d": "''", "\x94": "''", "\xbb": "''",
          '"': "''", "&quot;": "''"}  # fmt: skip
CURRENCY = {"\xa2": "cents", "\xa3": "#", "\xa4": "$", "\x80": "$", "\u20a0": "$",
            "\u20ac": "$"}  # fmt: skip
FRACTIONS = {
    "\xbc": "1/4",
    "\xbd": "1/2",
    "\xbe": "3/4",
    "\u2153": "1/3",
    "\u2154": "2/3",
}
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-",
            "}": "-rcb-"}  # fmt: skip


def replace(table: dict[str, str]) -> Callable[[str], str]:
    """Return a function that writes every key of the table in a text as its value."""
    pattern = re.compile("|".join(map(re.escape, sorted(table, key=len, reverse=True))))
    return lambda text: pattern.sub(lambda match: table[match[0]], text)


def without_soft_hyphens(text: str) -> str:
    return text.replace("\xad", "") or "-"


def unbroken(text: str) -> str:
    """Blanks inside one token become no-break spaces, round brackets their names."""
    return replace({" ": "\xa0", "(": "-lrb-", ")": "-rrb-"})(text)


# --- the alphabet of the rules ---------------------------------------------------

SPACE = r"[ \t\xa0\u2000-\u200a\u3000]"
ANY_SPACE = r"[ \t\xa0\u2000-\u200a\u3000\n]"
NUMBER_SIGNS = (
    r"\xb2\xb3\xb9\xbc-\xbe\u2070-\u2079\u2080-\u2089\u2150-\u218f\u2460-\u249b"
)
PLAIN = rf"[^\W\d_{NUMBER_SIGNS}]"  # a letter of any alphabet
ALNUM = rf"[^\W_{NUMBER_SIGNS}]"
# In words also: accents written as entities or on their own, soft hyphens.
LETTER = rf"(?:{PLAIN}|&[aeiouAEIOU](?:acute|grave|uml);|[\xad\u0300-\u036f])"
WORD = rf"{LETTER}(?:{LETTER}|\d)*(?:[.!?]{LETTER}(?:{LETTER}|\d)*)*"
APOS = r"(?:['\x92\u2019]|(?i:&apos;))"
APOS_INSIDE = r"(?:['`\x92\u2019\x91\u2018\u201b]|(?i:&apos;))"
ENDING = rf"{APOS}(?i:[msd]|re|ve|ll)"
NOT = rf"[nN]{APOS_INSIDE}[tT]"
NUMERAL = r"(?:\d*(?:[.:,\xad\u066b\u066c]\d+)+|\d+)"
HYPHEN = r"[-_\u058a\u2010\u2011]"
SLASH = r"(?:\\?/|\u2044)"
ELISION = rf"(?:[dDoOlL]{APOS_INSIDE}{ALNUM})?"  # d'Artagnan
THING = rf"{ELISION}{ALNUM}+(?:{HYPHEN}{ELISION}{ALNUM}+)*"
PART = r"[a-zA-Z0-9]+(?:-[a-zA-Z]+){0,2}"
LETTERS_WITH_DOTS = (
    r"(?:(?i:(?:Canada|Sino|Korean|EU|Japan|non)-U\.S|U\.S\.-(?:U\.S\.S\.R|U\.K))"
    r"|[a-zA-Z](?:\.[a-zA-Z])+)"
)
HYPHENATED = (
    rf"[a-zA-Z0-9][a-zA-Z0-9.,\xad]*(?:-(?:{LETTERS_WITH_DOTS}\.|[a-zA-Z0-9\xad]+))+"
)
# Abbreviations keep their full stop. Those in [] only with that capital.
ABBREVIATION = (
    r"(?:(?i:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Mon|Tues?|Wed|Thurs|Thu|Fri"
    r"|Ala|Ariz|Calif|Colo|Conn|Ct|Dak|Fla|Ga|Ind|Kans?|Ky|Md|Mich|Minn|Mo|Mont|Neb|Nev"
    r"|Okla|Penn|Tenn|Va|Vt|Wisc?|Wyo|Inc|Cos?|Corp|Pp?t(?-i:[ye])s?|Ltd|Plc|Rt|Bancorp"
    r"|Bhd|Assn|Univ|Intl|Sys|tel|est|ext|sq|Jr|Sr|Bros|Ed\.D|Ph\.D|Esq|etc|al|seq|Bldg"
    r"|Blvd|Rd)|[A](?i:z|rk)|[D](?i:el)|[I](?i:ll)|[L](?i:a)|[M](?i:ass|iss)|[O](?i:re)"
    r"|[P](?i:a)|[T](?i:ex)|[W](?i:ash))"
)
TITLE = (
    rf"(?:{LETTERS_WITH_DOTS}|[M](?i:iss)"
    r"|(?i:Mrs?|Ms|Drs?|Profs?|Sens?|Reps?|Attys?|Lt|Col|Gen|Messrs|Govs?|Adm|Rev|Maj"
    r"|Sgt|Cpl|Pvt|Capt|Ste?|Ave|Pres|Lieut|Hon|Brig|Co?mdr|Pfc|Spc|Supts?|Det|Mt|Ft|vs"
    r"|Alex|Wm|Jos|Cie|cf|TREAS|Ph|Invt|Elec|Natl|M(?-i:[ft])g|Dept|Adj|Adv|Asst|Assoc"
    r"|Ens|Insp|Mlle|Mme|Msgr|Sfc|[a-z]))"
)
BEFORE_NUMBERS = r"(?i:ca|figs?|prop|nos?|art|pp|op)\."
# Words that begin a new sentence after a single letter: its full stop is none of its.
NEW_SENTENCE = (
    r"(?:About|According|Additionally|After|An?|As|At|But|Earlier|Her?|Here|However|If"
    r"|In|It|Last|Many|More|Mr\.|Ms\.|Now|Once|One|Other|Our|She|Since|So|Some|Such"
    r"|That|The|Their|Then|There|These|They|This|We|When|While|What|Yet|You)"
)
URL_CHARACTER = r"[^ \t\n\f\r\"<>|(){}]"
URL_END = r"[^ \t\n\f\r\"<>|.!?(){},-]"
VALUE = r"(?:'[^'\r\n]*'|\"[^\"\r\n]*\"|[a-zA-Z_][a-zA-Z0-9_:.-]*)"
NAME = r"[a-zA-Z][a-zA-Z0-9_:.-]*"
# Two repetitions of the same character never stand side by side: dividing a row of
# blanks between them would take quadratic time.
TAG = (
    rf"<(?:[!?][a-zA-Z-][^>\r\n]*|/{NAME} *"
    rf"|{NAME}(?: +{NAME}(?: *= *{VALUE})?)* *(?:/ *)?)>"
)
FILE_NAME = (
    rf"(?:{LETTER}|\d)+(?:\.(?:{LETTER}|\d)+)*\.(?i:bat|bmp|bz2|class|cgi|cpp|c|dll"
    r"|docx?|exe|gif|gz|html?|h|jar|java|jpe?g|mov|mp3|pdf|php|pl|png|ppt|ps|py|sql|tar"
    r"|txt|wav|xml|x|zip)"
)
SITE = (
    r"(?:(?i:www)\.(?:[^ \t\n\f\r\"<>|.!?(){},]+\.)+[a-zA-Z]{2,4}"
    r"|(?:[^ \t\n\f\r\"`'<>|.!?(){},-_$]+\.)+(?i:com|net|org|edu))"
    rf"(?:/[^ \t\n\f\r\"<>|()]+{URL_END})?"
)
MAIL = (
    r"(?:&lt;|<)?[a-zA-Z0-9][^ \t\n\f\r\"<>|(){}\xa0]*@"
    r"(?:[^ \t\n\f\r\"<>|(){}.\xa0]+\.)*[^ \t\n\f\r\"<>|(){}.\xa0]+(?:&gt;|>)?"
)
PHONE = (
    r"(?:(?:\([0-9]{2,3}\)[ \xa0]?|(?:\+\+?)?(?:[0-9]{2,4}[- \xa0])?[0-9]{2,4}[- \xa0])"
    r"[0-9]{3,4}[- \xa0]?[0-9]{3,5}"
    r"|(?:(?:\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5})"
)

QUOTE_MARKS = r"`\u2018-\u201f\x91-\x94\u2039\u203a\xab\xbb"
SIGNS = (
    r"[+%&~^|\\\xa6-\xa9\xac\xae-\xba\xd7\xf7\u0387\u2016\u2017\u2020-\u2023"
    r"\u2030-\u2038\u203b\u203e-\u2042\u2044\u207a-\u207f\u208a-\u208e\u2100-\u214f"
    r"\u2190-\u2bff\u3012\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"
)
COMMA = r"[,;:\u3001]"
AMPERSAND = {"&amp;": "&"}
COMPANY = r"[A-Z]+(?:(?:[+&]|(?i:&amp;))[A-Z]+)+"  # AT&T
FACE = r"[-^x=~<>']"

# The table. Of two rules that reach equally far the first one wins.
RULES = [
    # words
    (r"[cC]\+\+|[cCfF]#", "", None),
    (r"(?i:can|'t)", r"(?i:(?<=can)not|(?<='t)was)", None),
    (
        r"(?i:gon|wan|got|lem|gim|'t)",
        r"(?i:(?<=[gw].n)na|(?<=got)ta|(?<=m)me|(?<='t)is)",
        None,
    ),
    (TAG, "", replace({" ": "\xa0"})),
    (r"&(?i:MD|mdash|ndash);|[\x96\x97\u2013-\u2015]", "", lambda token: "--"),
    (r"(?i:&amp;)", "", lambda token: "&"),
    (r"&(?:(?i:HT|TL|UR|LR|QC|QL|QR|odq|cdq)|#[0-9]+);", "", None),
    (WORD, ENDING, without_soft_hyphens),
    (r"[a-zA-Z\xad]*[A-MO-Za-mo-z]\xad*", NOT, without_soft_hyphens),
    (WORD, "", without_soft_hyphens),
    # words with an apostrophe of their own
    (rf"{APOS}[nN]{APOS}?|{APOS}(?i:em|till?|cause)|{APOS}[2-9]0[sS]", "", None),
    (rf"[lLdDjJ]{APOS}|(?i:Dunkin|somethin|ol){APOS}", "", None),
    (rf"[A-HJ-XZn]{APOS_INSIDE}{PLAIN}{{2,}}", "", None),
    (rf"{PLAIN}+[aeiouyAEIOUY]{APOS_INSIDE}[aeiouA-Z]{PLAIN}*", "", None),
    (r"(?i:nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l)", "", None),
    (rf"[oO]{APOS_INSIDE}[oO]", "", None),
    (rf"[yY]{APOS}", PLAIN, None),
    # addresses
    (rf"(?i:https?)://{URL_CHARACTER}+{URL_END}", "", None),
    (SITE, "", None),
    (MAIL, "", None),
    (rf"@[a-zA-Z_][a-zA-Z_0-9]*|#{LETTER}+", "", None),
    # endings
    (ENDING, r"[^A-Za-z]", replace(QUOTES)),
    (NOT, r"[^A-Za-z]", replace(QUOTES)),
    # numbers
    (r"\d{1,2}[-/]\d{1,2}[-/]\d{2,4}", "", None),
    (rf"[-+]?{NUMERAL}", "", without_soft_hyphens),
    (
        r"[\u207a\u207b\u208a\u208b]?(?:[\u2070\xb9\xb2\xb3\u2074-\u2079]+"
        r"|[\u2080-\u2089]+)",
        "",
        None,
    ),
    (rf"(?:\d{{1,4}}[- \xa0])?\d{{1,4}}{SLASH}\d{{1,4}}", "", unbroken),
    (r"[\xbc-\xbe\u2153-\u215e]", "", replace(FRACTIONS)),
    (r"-(?i:RRB|LRB|RCB|LCB|RSB|LSB)-|(?i:C\.D\.s|pro-|anti-)", "", None),
    (r"(?i:S(?:&|&amp;)(?:P-500|Ls))", "", replace(AMPERSAND)),
    (rf"(?i:Cap{APOS}n|c{APOS}est)", "", None),
    (rf"{PART}(?:\\?/{PART}){{1,2}}", "", None),
    (r"[A-Z]*\$|#", "", None),
    (
        r"[\xa2-\xa5\x80\u20a0\u20ac\u060b\u0e3f\u20a4\uffe0\uffe1\uffe5\uffe6]",
        "",
        replace(CURRENCY),
    ),
    # abbreviations
    (r"[a-zA-Z]", rf"\.{SPACE}+(?:{NEW_SENTENCE}|{TAG}){ANY_SPACE}", None),
    (BEFORE_NUMBERS, rf"{ANY_SPACE}?\d", None),
    (rf"{ABBREVIATION}\.", r"[\s\S]{2}", None),
    (rf"{ABBREVIATION}\.", "", None),
    (rf"{TITLE}\.", "", None),
    (TITLE, SPACE, None),
    (LETTERS_WITH_DOTS, ANY_SPACE, None),
    (rf"{APOS}[0-9][0-9]", ANY_SPACE, None),
    (FILE_NAME, rf"{ANY_SPACE}|[.?!,]", None),
    (rf"{WORD}\.", COMMA, without_soft_hyphens),
    (PHONE, "", unbroken),
    # signs
    (r"\"|(?i:&quot;)", "", replace(QUOTES)),
    (r"<|>|&[lg]t;", "", replace({"&lt;": "<", "&gt;": ">"})),
    (r"[<>]?[:;=][-o*']?[()DPdpO\\{@|\[\]]", r"[^a-zA-Z0-9]", unbroken),
    (rf"{FACE}_{FACE}|\({FACE}[_.]?{FACE}\)", "", unbroken),
    (r"[(){}\[\]]", "", replace(BRACKETS)),
    (r"-+", "", lambda token: "--" if len(token) in (3, 4) else token),
    (r"\.{3,5}|(?:\.[ \xa0]){2,4}\.|[\x85\u2026]", "", lambda token: "..."),
    (r"@+|#+|_+|\*+|(?:\\\*){1,3}", "", None),
    (
        rf"{COMMA}|[?!]+|[.=/\xa1\xbf\u037e\u0589\u061f\u06d4\u0700-\u0702\u3002]",
        "",
        None,
    ),
    # words with hyphens, last because any of the others may be as long
    (rf"{HYPHENATED}\.", COMMA, without_soft_hyphens),
    (HYPHENATED, "", without_soft_hyphens),
    (rf"{THING}\.", COMMA, None),
    (THING, "", None),
    (rf"{COMPANY}\.", COMMA, replace(AMPERSAND)),
    (COMPANY, "", replace(AMPERSAND)),
    # what is left
    (r"'", r"[A-Za-z][^ \t\n\r\xa0]", lambda token: "`"),
    (ENDING, "", replace(QUOTES)),
    (rf"''|[{QUOTE_MARKS}]{{1,2}}|{APOS}", "", replace(QUOTES)),
    (r"<<|>>", "", None),
    (SIGNS, "", None),
    (
        rf"{SPACE}+|(?i:&nbsp;)|[\0\x7f\u200b\u200e\u200f\ufeff]",
        "",
        lambda token: "",
    ),
]
