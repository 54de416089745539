"""What becomes of a command that a server line stands for: asked, voted on, queued, sent, ended.

To drive a request, in the order in which it lives. Every verb takes a `Desk` (one transaction):

    submit.submit         a new command: open, queued, or answered with why not
    measures.break_glass  the same without votes, reviewed afterwards
    voting.vote           somebody's yes or no; `redacted`, `edited`: taken back or changed
    submit.edited         the command was changed: it is cancelled and starts over
    voting.cancel         by whoever asked, or may deny it
    reweigh.room_changed  members, powers (`policy_changed`: the policy) changed: votes count anew
    reweigh.tick          what is due: expired, reminded, given up
    erased.hold           a word was erased unread: nothing is sent until it is said again
    guard.next_turn       whose line may be sent next
    guard.begin           looks at everything again and stores the intent; then the line is sent
    guard.line_not_sent   it did not arrive; `line_settled`: what became of it
    finish.settled        every line is settled: the worst is how it ended
    voting.resolve        a person tells how an unknown one ended

`machine` is the table of all changes of state, and `Desk.apply` its only driver. `standing` weighs
votes and policy at this moment; `tally`, which is pure, is the assignment behind it.
`finish.closed` tells of what ended without having run. `store`, `holds`, `limits` and `history`
are the SQL. What is said is in `chat`.
"""
