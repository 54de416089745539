// What is wrong with the messages of the bot on this page; run in the page, answers a list.
(() => {
  const SIGNS = /^(✅|⛔|❌|❓|✋|⏳|📋|🔔|❗|🔑)/u;
  const RAW = /<\/?[a-z][^>]*>|&[a-z]+;|\*\*|```|\]\(http|[\ufffd]/i;
  const found = [];
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) found.push(`the page is ${page.scrollWidth} px wide`);
  for (const message of document.querySelectorAll(".text, .Timeline_messageBody")) {
    const said = message.innerText.trim();
    if (!SIGNS.test(said) && !message.matches(".text")) continue;
    const name = `“${said.split("\n")[0].slice(0, 60)}”`;
    const words = document.createTreeWalker(message, NodeFilter.SHOW_TEXT);
    for (let node; (node = words.nextNode()); )
      if (!node.parentElement.closest("code, pre") && SIGNS.test(said) && RAW.test(node.data))
        found.push(`${name} shows ${node.data.match(RAW)[0]}`);
    for (const part of message.querySelectorAll("code, pre"))
      if (part.getBoundingClientRect().right > innerWidth) found.push(`${name} is cut at the right`);
    if (message.scrollWidth > message.clientWidth + 1) found.push(`${name} scrolls sideways`);
    for (const pre of message.querySelectorAll("pre"))
      if (pre.scrollWidth > pre.clientWidth + 1) found.push(`${name} has a block that scrolls sideways`);
    const lines = Math.round(message.getBoundingClientRect().height / 22);
    if (SIGNS.test(said) && message.dataset.budget && lines > message.dataset.budget)
      found.push(`${name} has ${lines} lines, ${message.dataset.budget} are enough`);
  }
  return found;
})()
