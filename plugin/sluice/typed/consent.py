"""A yes, a no, or neither: what people of some languages write below a card or a question.

In doubt about a no it is a no; in doubt about a yes it is asked. So a yes is one word or sign and
nothing else, a no is whatever begins with one, and what may be either is UNCLEAR.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from itertools import dropwhile, takewhile

from attrs import frozen


class Sense(Enum):
    """What words mean to somebody who waits for a yes or a no."""

    YES = "exactly a yes"
    YES_AND = "a yes with more, or only in one language"
    NO = "it begins with a no"
    UNCLEAR = "it may be a no"
    WAIT = "neither yet"
    THANKS = "courtesy"
    OTHER = "anything else"


_S = Sense
_POLITE = (
    "please, pls, plz, plese, pretty please, thanks, thank you, thankyou, thx, tnx, tysm,"
    "thanks a lot, thanks so much, thank you so much, thank you very much, thanks in advance,"
    "many thanks, much appreciated, if you please, if you can, bitte, bitte schön, bitteschön,"
    "danke, dankeschön, danke schön, vielen dank, besten dank, danke dir, danke euch,"
    "merci, merci beaucoup, merci bien, merci d'avance, s'il te plaît, s'il te plait,"
    "s'il vous plaît, s'il vous plait, stp, svp, gracias, muchas gracias, por favor, porfa,"
    "grazie, grazie mille, per favore, per piacere, obrigado, obrigada, muito obrigado,"
    "muito obrigada, bedankt, dank je, dank je wel, dankje, dankjewel, dank u, alsjeblieft,"
    "alstublieft, dzięki, dzieki, dziękuję, dziekuje, proszę, prosze, díky, diky, děkuji, dekuji,"
    "dík, prosím, prosim, tack, tack så mycket, snälla, takk, tusen takk, mange tak,"
    "vær så snill, kiitos, ole hyvä, спасибо, спс, пожалуйста, дякую, будь ласка, teşekkürler,"
    "teşekkür ederim, lütfen, köszönöm, kérem, ευχαριστώ, παρακαλώ,"
    "ありがとう, お願いします, 谢谢, 謝謝"
)
"""What asks and thanks in all of them, and is nobody's name."""

_WORDS: Sequence[tuple[Sense, str]] = (
    (_S.THANKS, _POLITE),
    # English
    (
        _S.YES,
        "yes, yeah, yep, yup, ok, okay, approve, approved, agree, agreed, i agree, i approve,"
        "lgtm, +1, :+1:, :thumbsup:, :white_check_mark:, accept, accepted, granted, confirmed",
    ),
    (
        _S.YES_AND,
        "y, ya, yea, aye, k, kk, sure, sure thing, fine, go, go ahead, go on, do it, please do,"
        "of course, absolutely, definitely, all good, looks good, looks good to me, sounds good,"
        "fine by me, works for me, confirm, why not, it's ok, it is ok, that's fine, it's fine,"
        "i think so, correct, right, exactly, alright, all right, roger, ack, ship it, run it",
    ),
    (
        _S.NO,
        "no, n, nope, nah, nay, no go, no-go, never, never ever, not, do not, don't, dont, deny,"
        "denied, wrong, mistake, my mistake, by mistake, oops, whoops, forget it, leave it, undo,"
        "drop it, scratch that, revert, quit, i changed my mind, changed my mind,"
        "reject, rejected, refuse, refused, decline, declined, disagree, disapprove, disapproved,"
        "stop, stop it, cancel, cancelled, canceled, abort, veto, never mind, nevermind, nvm,"
        "no way, nack, -1, :-1:, :thumbsdown:, :x:, i disagree, i object, absolutely not,"
        "definitely not, certainly not, of course not, under no circumstances, hell no",
    ),
    (
        _S.WAIT,
        "wait, wait a minute, hold on, hold it, hang on, not yet, not now, not so fast,"
        "not sure, i'm not sure, im not sure, i am not sure, hold, later, one moment, moment,"
        "just a moment, one sec, a sec, sec, hm, hmm, mm, mhm,"
        "um, uh, idk, i don't know, i dont know, don't know, dont know, dunno, no clue yet,"
        "let me check, let me think, give me a minute, tbd",
    ),
    (
        _S.THANKS,
        "ty, cheers, great, nice, perfect, cool, awesome, good job, well done, good, hi, hello,"
        "hey, good morning, morning, good night, bye, sorry, lol, haha, np, you're welcome,"
        "welcome",
    ),
    # German
    (_S.YES, "ja, jawohl, jep, jap, jup, genehmigt, freigegeben, einverstanden, zugestimmt"),
    (
        _S.YES_AND,
        "jo, joa, doch, klar, na klar, passt, passt schon, gerne, mach, mach das, mach mal, los,"
        "sicher, natürlich, in ordnung, von mir aus, meinetwegen, alles klar, schon gut,"
        "bestätigt, geht klar, jawoll, ja bitte",
    ),
    (
        _S.NO,
        "nein, nee, nö, noe, nicht, niemals, nie, stopp, halt, kein, keine, keinen, nichts,"
        "ablehnen, abgelehnt, abbrechen, abbruch, auf keinen fall, bloß nicht, lieber nicht,"
        "bitte nicht, lass das, lass es, dagegen",
    ),
    (
        _S.WAIT,
        "warte, warten, wartet, moment mal, einen moment, noch nicht, nicht jetzt, jetzt nicht,"
        "halt mal, später, weiß nicht, weiss nicht, ich weiß nicht, keine ahnung,"
        "nicht sicher, bin nicht sicher, sekunde, mal sehen, nicht so schnell",
    ),
    (_S.THANKS, "super, toll, prima, servus, hallo, moin, tschüss, guten morgen, sorry"),
    # French
    (_S.YES, "oui, ouais, approuvé, d'accord, je valide, validé, accepté, j'approuve"),
    (_S.YES_AND, "vas-y, vas y, allez-y, allez y, bien sûr, ça marche, ok vas-y, c'est bon"),
    (
        _S.NO,
        "non, nan, pas, jamais, refusé, refuser, je refuse, annuler, annule, annulez, arrête,"
        "arrêtez, arrete, pas question, aucun, surtout pas",
    ),
    (
        _S.WAIT,
        "attends, attendez, pas encore, pas maintenant, un instant, une minute,"
        "je ne sais pas, je sais pas, pas sûr",
    ),
    (_S.THANKS, "bravo, bonjour, salut, bonsoir, désolé"),
    # Spanish
    (_S.YES, "sí, aprobado, apruebo, lo apruebo, de acuerdo, confirmado, aceptado"),
    (_S.YES_AND, "si, claro, vale, dale, adelante, está bien, esta bien, bueno, hazlo, venga"),
    (
        _S.NO,
        "nunca, jamás, alto, rechazado, rechazo, rechazar, cancelar, cancela, cancelado, negado,"
        "denegado, detente, para ya, ni hablar, de ninguna manera, tampoco, ningún, ninguna",
    ),
    (
        _S.WAIT,
        "espera, esperad, espere, todavía no, aún no, ahora no, un momento, no sé, no se",
    ),
    (_S.THANKS, "genial, hola, perdón, buenos días"),
    # Italian
    (_S.YES, "sì, approvato, approvo, confermo, accetto"),
    (_S.YES_AND, "certo, vai, va bene, vai pure, procedi, fallo"),
    (
        _S.NO,
        "mai, rifiuto, rifiutato, annulla, annullato, ferma, fermati, fermo, nego, negato,"
        "assolutamente no, nessun, nessuna, neanche per sogno",
    ),
    (_S.WAIT, "aspetta, aspettate, non ancora, non ora, un attimo, attendi, non so"),
    (_S.THANKS, "ciao, scusa, prego"),
    # Portuguese
    (_S.YES, "sim, aprovado, aprovo, concordo"),
    (_S.YES_AND, "pode, pode ser, tudo bem, beleza, vai em frente, pode ir, isso"),
    (
        _S.NO,
        "não, nao, recusado, recuso, recusar, cancele, pare, de jeito nenhum, negativo, nem,"
        "nenhum, nenhuma, sem",
    ),
    (_S.WAIT, "espere, ainda não, ainda nao, agora não, calma, não sei, nao sei"),
    (_S.THANKS, "valeu, olá, oi, desculpa, bom dia"),
    # Dutch
    (_S.YES, "akkoord, goedgekeurd, mee eens"),
    (_S.YES_AND, "goed, is goed, doe maar, ga je gang, zeker, natuurlijk, oke, oké"),
    (
        _S.NO,
        "neen, niet, nooit, geen, niets, afgewezen, afkeuren, afgekeurd, annuleren, weiger,"
        "geweigerd, niet doen, oneens",
    ),
    (
        _S.WAIT,
        "wacht, wachten, nog niet, niet nu, even wachten, momentje, weet niet,ik weet het niet",
    ),
    (_S.THANKS, "hoi, hallo"),
    # Polish
    (_S.YES, "zgoda, zgadzam się, zgadzam sie, zatwierdzam, akceptuję, potwierdzam"),
    (_S.YES_AND, "tak, jasne, dobra, dobrze, spoko, pewnie, oczywiście, no tak, śmiało"),
    (
        _S.NO,
        "nigdy, odmowa, odmawiam, odrzucam, odrzucone, anuluj, żadnych, żaden, brak,"
        "nie zgadzam się, nie rób",
    ),
    (
        _S.WAIT,
        "czekaj, poczekaj, zaczekaj, poczekajcie, jeszcze nie, nie teraz, chwila, chwileczkę,"
        "nie wiem",
    ),
    (_S.THANKS, "cześć, przepraszam, super"),
    # Czech
    (_S.YES, "ano, souhlasím, schvaluji, schváleno"),
    (_S.YES_AND, "jasně, jasne, dobře, dobrá, jistě, klidně, může být"),
    (_S.UNCLEAR, "ne"),  # yes in Greek
    (_S.NO, "nikdy, zamítám, zamítnuto, nesouhlasím, zrušit, zruš, ani náhodou, žádný, žádné"),
    (_S.WAIT, "počkej, počkejte, ještě ne, teď ne, chvíli, okamžik, nevím"),
    (_S.THANKS, "ahoj"),
    # Swedish, Danish, Norwegian, Finnish
    (
        _S.YES,
        "japp, jepp, okej, godkänd, godkänt, godkänner, godkendt, godkender, godkjent,"
        "godkjenner, enig, kyllä, hyväksyn",
    ),
    (_S.YES_AND, "visst, javisst, självklart, selvfølgelig, kör, kør, greit, joo, hyvä, tak"),
    (
        _S.NO,
        "nej, nei, næ, nä, aldrig, aldri, inte, ikke, ikkje, ingen, inget, inga, avslag, avslå,"
        "avslått, afvist, afvis, avvis, avvist, avbryt, annuller, ei, älä, en hyväksy",
    ),
    (
        _S.WAIT,
        "vänta, vent, vente, inte än, inte nu, ikke ennå, ikke enda, ikke endnu, ikke nu,"
        "vet inte, vet ikke, ved ikke, lite till, odota, ei vielä",
    ),
    (_S.THANKS, "hej, hei, moi"),
    # Russian, Ukrainian
    (
        _S.YES,
        "да, ок, окей, одобряю, одобрено, согласен, согласна, подтверждаю, утверждаю, згоден,"
        "згодна, схвалюю, підтверджую, погоджуюсь",
    ),
    (
        _S.YES_AND,
        "так, конечно, давай, давайте, хорошо, ладно, можно, ага, угу, добре, звісно, гаразд,"
        "da, звичайно, поехали",
    ),
    (
        _S.NO,
        "нет, не, неа, никогда, стоп, отклонить, отклоняю, отказ, отказываю, отмена, против,"
        "нельзя, ні, ніколи, відхиляю, відмова, скасувати, проти, отставить, нi, ни в коем случае,"
        "немає, без, стой, njet, nyet",
    ),
    (
        _S.WAIT,
        "подожди, подождите, погоди, погодите, ещё нет, еще нет, пока нет, не сейчас, не знаю,"
        "минутку, зачекай, зачекайте, почекай, ще ні, не зараз",
    ),
    (_S.THANKS, "привет, здравствуйте, вітаю"),
    # Turkish
    (_S.YES, "evet, onaylıyorum, onaylandı, onay, kabul"),
    (_S.YES_AND, "tamam, olur, tabii, tabi, peki, elbette, yap"),
    (
        _S.NO,
        "hayır, hayir, yok, asla, reddet, reddedildi, reddediyorum, iptal, dur, durun, olmaz,"
        "değil, yapma, sakın",
    ),
    (_S.WAIT, "bekle, bekleyin, henüz değil, şimdi değil, bilmiyorum, bir dakika"),
    (_S.THANKS, "sağol, sağ ol, merhaba, selam"),
    # "never mind"
    (
        _S.NO,
        "vergiss es, lass gut sein, schon erledigt, egal, laisse tomber, laissez tomber,"
        "olvídalo, olvidalo, déjalo, dejalo, lascia stare, lascia perdere, deixa, deixa pra lá,"
        "esquece, laat maar, vergeet het, nieważne, niewazne, zapomnij, zapomeň na to, to nic,"
        "glöm det, glem det, strunt samma, забудь, неважно, неважливо, не надо, boş ver",
    ),
    # Hungarian, Greek, Japanese, Chinese, Korean, Arabic, Hebrew
    (_S.YES, "igen, jóváhagyom, ναι, συμφωνώ, はい, 是, 是的, 同意, 네, 예, نعم, כן"),
    (_S.YES_AND, "hai, rendben"),
    (_S.NO, "όχι, οχι, iie, soha, いいえ, だめ, 不, 不是, 不要, 不行, 아니, 아니요, لا, לא"),
)
"""Phrases of some fourteen languages; of two entries of one phrase the first counts."""

YES = frozenset("✅☑✔👍")
"""Signs, as `bare` leaves them, that are a yes as a tap too."""
NO = frozenset("❌✖👎🚫⛔🛑❎🙅✗✘✕🚯🆖")
"""Signs that are a no, tapped or written."""
_SIGNS: Mapping[Sense, str] = {
    _S.YES_AND: "👌🆗💯🤝🙆🟢",
    _S.WAIT: "🤔⏳⌛✋🤚🤷⏸❓❔⁉🧐👀",
    _S.THANKS: "🙏👏🎉❤🙂😊😀💚🥳",
}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_NEGATES = _set(
    "not don't dont nicht kein keine pas não nao non nie niet geen inte ikke ikkje не nem never "
    "nunca"
)
"""What makes a no of the yes behind it: "not approved". Another no does not: "no go ahead"."""

_NO_HARM = _set(
    "problem problems problemo prob probs issue issues objection objections object objects idea "
    "clue worries worry concern concerns doubt doubts complaints rush reason reasons question "
    "questions biggie sweat stress mind care against opposed bad harm veto probleme einwand "
    "einwände einwaende einspruch ahnung zweifel sorge sorgen bedenken dagegen problème "
    "problèmes souci soucis idée doute contre problema problemas pega duda preocupes objeción "
    "dubbio problemi obiezioni dúvida preocupação objeção probleem bezwaar bezwaren zorgen punt "
    "tegen problemu sprzeciwu przeciw uwag problém problémy námitek námitky proti invändningar "
    "invändning indvendinger innvendinger aning bekymring anelse fara imod проблем проблема "
    "проблемы возражений вопросов против понятия заперечень проти питань sorun itirazım "
    "πρόβλημα"
)
"""What makes no harm of a no: "no problem", "keine Einwände", "не против"."""

_FILLERS = _set("oh ah eh um uh er hm hmm mm mhm well actually so and but ach äh och")
_CONSENTS = (_S.YES, _S.YES_AND)
_FEW = 4  # words behind a no that may still belong to it, without a stop between
_NEAR = 3  # words behind a no within which it is made harmless
_TAIL = 6  # words of politeness behind a command
_MOST = 400  # characters within which a meaning must show
_BREAKS = frozenset('.,;:!?…—–()/\n"“”-♀♂')
_TOKEN = re.compile(r":[+-]1:|:[a-z_]+:|[+-]1(?!\w)|[^\W_]+(?:['’-][^\W_]+)*|\n|[^\w\s]", re.I)
_TWICE = re.compile(r"(\w)\1")
_DRAWN = (re.compile(r"(\w)\1{2,}"), re.compile(r"(\w)\1+$"))  # "nooo", "yess": keys held down
_ODD = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]|\u200d[♀♂]?")
_EDGE = "".join(_BREAKS) + " \t\u200d\ufe0e\ufe0f🏻🏼🏽🏾🏿"


@frozen
class Meant:
    """rest: the words of a no but the no itself, as they were written."""

    sense: Sense
    rest: str = ""


@frozen
class _Part:
    """A phrase that is known, or one other word. end: where it ends in the text. word: "" of
    several. is_break: it stands between clauses."""

    word: str
    end: int
    sense: Sense = Sense.OTHER
    is_break: bool = False
    polite: bool = False


def bare(sign: str) -> str:
    """A sign without what phones add to it: variation selectors, skin tones, genders."""
    return _ODD.sub("", sign).strip()


def meant(text: str) -> Meant:
    """The sense of what was written."""
    parts = list(_parts(text[:_MOST]))
    said = list(dropwhile(_leads, parts))
    if not said:
        polite = any(part.sense is _S.THANKS for part in parts)
        asks = any(part.word == "?" for part in parts)
        return Meant(_S.WAIT if asks else _S.THANKS if polite else _S.OTHER)
    head, more = said[0], [part for part in said[1:] if not part.is_break]
    if head.sense is _S.WAIT and more and more[0].sense is _S.NO:
        return Meant(_S.NO, text.strip())
    if head.sense is _S.NO:
        return Meant(_S.UNCLEAR) if _is_harmless(said) else Meant(_S.NO, _rest(text, said))
    if head.sense is _S.UNCLEAR:
        clear = more and more[0].sense not in _CONSENTS
        return Meant(_S.NO, _rest(text, said)) if clear else Meant(head.sense)
    if head.sense not in _CONSENTS:
        return Meant(head.sense)
    if any(part.sense in (_S.NO, _S.UNCLEAR, _S.WAIT) for part in more):
        return Meant(_S.UNCLEAR)
    tail = "".join(part.word for part in said[1:])
    is_all = said == parts and not more and tail.strip("!") in ("", ".")
    return Meant(head.sense if is_all else _S.YES_AND)


def refuses(text: str) -> bool:
    """Whether a reply to a question takes it back: words of a no or of a wait, alone, with little
    behind them, or with more behind a stop: "never mind, wrong account"."""
    parts = list(_parts(text[:_MOST]))
    said = list(dropwhile(lambda part: _leads(part) or part.sense in _CONSENTS, parts))
    if not said or said[0].sense not in (_S.NO, _S.UNCLEAR, _S.WAIT):
        return False
    more = [part for part in said[1:] if not part.is_break]
    return len(more) <= _FEW or said[1].is_break


def is_polite(text: str) -> bool:
    """Whether it is consent or courtesy and nothing else: "ok, thanks"."""
    kinds = (*_CONSENTS, _S.THANKS)
    return all(part.is_break or part.sense in kinds for part in _parts(text[:_MOST]))


def without_politeness(words: Sequence[str]) -> Sequence[str]:
    """Without the words at the end that ask or thank, and are neither anything else nor a name."""
    for at in range(max(len(words) - _TAIL, 0), len(words)):
        if _only_asks(" ".join(words[at:])):
            return words[:at]
    return words


def _only_asks(text: str) -> bool:
    parts = [p for p in _parts(text) if not p.is_break and p.word not in _FILLERS]
    return bool(parts) and all(part.polite for part in parts)


def is_short(text: str) -> bool:
    """Whether a yes or a no is most of it, or stands apart: so it may be an answer to nothing
    that is named."""
    parts = list(dropwhile(_leads, _parts(text[:_MOST])))
    return len([part for part in parts if not part.is_break]) <= _FEW or parts[1].is_break


def _leads(part: _Part) -> bool:
    """What may stand before what is meant: "oh, sorry, no"."""
    return part.is_break or part.sense is _S.THANKS or part.word in _FILLERS


def _is_harmless(said: Sequence[_Part]) -> bool:
    """Whether what follows the no at the beginning takes it back, or may do so."""
    for at, part in enumerate(said):
        if part.is_break:
            continue
        if part.sense is not _S.NO:
            before = said[at - 1]
            is_yes = part.sense in _CONSENTS
            return is_yes and (before.is_break or before.word not in _NEGATES)
        near = takewhile(lambda each: not each.is_break, said[at + 1 : at + 1 + _NEAR])
        if any(each.word in _NO_HARM for each in near):
            return True
    return False


def _rest(text: str, said: Sequence[_Part]) -> str:
    """Without the no where it stands apart, else the whole: "no he is not" reads as it is."""
    head, more = said[0], said[1:]
    if all(part.is_break or part.sense in (_S.NO, _S.THANKS) for part in more):
        return ""
    noes = list(takewhile(lambda part: part.word == head.word, said))
    apart = said[len(noes)].is_break or head.word in NO
    return text[noes[-1].end :].lstrip(_EDGE).rstrip() if apart else text.strip()


def _parts(text: str) -> Iterator[_Part]:
    """The longest phrases that are known, and all that is none."""
    tokens, at = _tokens(text), 0
    while at < len(tokens):
        longest = _STARTS.get(tokens[at][0], 1)
        n, sense = _phrase([word for word, _ in tokens[at : at + longest]])
        word, end = tokens[at][0], tokens[at + n - 1][1]
        polite = tuple(each for each, _ in tokens[at : at + n]) in _ASKING
        yield _Part(word if n == 1 else "", end, sense, word in _BREAKS, polite)
        at += n


def _phrase(words: Sequence[str]) -> tuple[int, Sense]:
    """How many of these words are one phrase, and its sense."""
    for n in range(len(words), 0, -1):
        if (sense := _SENSES.get(tuple(words[:n]))) is not None:
            return n, sense
    if not _TWICE.search(words[0]):
        return 1, _S.OTHER
    drawn = (pattern.sub(r"\1", words[0]) for pattern in _DRAWN)
    return 1, next((_SENSES[(each,)] for each in drawn if (each,) in _SENSES), _S.OTHER)


def _tokens(text: str) -> list[tuple[str, int]]:
    """Words, signs, and what stands between clauses, each with its end in the text."""
    found = (
        (each[0] if each[0].isalnum() else _ODD.sub("", each[0]), each.end())
        for each in _TOKEN.finditer(text)
    )
    return [(word.casefold().replace("’", "'"), end) for word, end in found if word]


def _table() -> Mapping[tuple[str, ...], Sense]:
    found: dict[tuple[str, ...], Sense] = {}
    for sense, phrases in _WORDS:
        for phrase in phrases.split(","):
            found.setdefault(tuple(word for word, _ in _tokens(phrase)), sense)
    signs = {_S.YES: YES, _S.NO: NO, **_SIGNS}
    return {**found, **{(sign,): sense for sense, each in signs.items() for sign in each}}


def _starts() -> Mapping[str, int]:
    """A first word -> the most words of a phrase that begins with it."""
    found: dict[str, int] = {}
    for first, *more in _SENSES:
        found[first] = max(found.get(first, 0), 1 + len(more))
    return found


def _asking() -> frozenset[tuple[str, ...]]:
    phrases = (*_POLITE.split(","), "🙏")
    return frozenset(tuple(word for word, _ in _tokens(phrase)) for phrase in phrases)


_SENSES = _table()
_ASKING = _asking()
_STARTS = _starts()
