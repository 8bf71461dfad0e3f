// A day in a team, as the web and desktop apps live it: @mattermost/client against a real server.
//
//     node chat_day.mjs URL
//
// Ann and Bob have accounts; Ann administers the server. Every step throws when it is not as it should be; at the end
// one line of JSON says what was seen. Bob's WebSocket goes through a proxy whose connections are cut while Ann writes.

import assert from "node:assert/strict";
import net from "node:net";
import { Client4, WebSocketClient } from "@mattermost/client";

const url = process.argv[2];
const password = "correct horse battery";
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

function connect(token) {
  const client = new Client4();
  client.setUrl(url);
  client.setToken(token ?? "");
  return client;
}

async function signIn(name) {
  const client = connect();
  const me = await client.login(name, password);
  assert.equal(me.username, name);
  assert.ok(client.getToken(), "the header Token");
  return { client, me };
}

async function refused(promise, status, id) {
  try {
    await promise;
  } catch (error) {
    assert.equal(error.status_code, status, error.message);
    assert.equal(error.server_error_id, id);
    return;
  }
  assert.fail(`expected ${status} ${id}`);
}

/** Between a client and the server: `cut` drops everybody who is connected. */
function cuttable() {
  const target = new URL(url);
  const open = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(Number(target.port), target.hostname);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        open.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const cut = () => open.forEach((socket) => socket.destroy());
      const stop = () => {
        server.close();
        cut();
      };
      resolve({ port: server.address().port, cut, stop });
    });
  });
}

/** A WebSocket of somebody, and what it heard. */
function listen(token, port) {
  const socket = new WebSocketClient({
    minWebSocketRetryTime: 20,
    maxWebSocketRetryTime: 100,
    reconnectJitterRange: 5,
    maxWebSocketFails: 100,
    clientPingInterval: 1000,
    newWebSocketFn: (address) => new WebSocket(address),
  });
  const heard = { events: [], hellos: 0, missed: 0, reconnects: 0, closes: 0 };
  let changed = () => {};
  socket.addMessageListener((event) => {
    if (event.event === "hello") {
      heard.hellos += 1;
    }
    heard.events.push(event);
    changed();
  });
  socket.addFirstConnectListener(() => {});
  socket.addReconnectListener(() => (heard.reconnects += 1));
  socket.addMissedMessageListener(() => (heard.missed += 1));
  socket.addCloseListener(() => (heard.closes += 1));
  socket.initialize(`ws://127.0.0.1:${port}/api/v4/websocket`, token);
  const until = (fact) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not heard: ${fact}`)), 30000);
      const look = () => {
        if (fact(heard)) {
          clearTimeout(late);
          changed = () => {};
          resolve();
        }
      };
      changed = look;
      look();
    });
  return { socket, heard, until };
}

const named = (heard, name) => heard.events.filter((event) => event.event === name);

// --- Morning: signing in, a team, a channel ------------------------------------------------------------------------

const { client: ann, me: annMe } = await signIn("ann");
const { client: bob, me: bobMe } = await signIn("bob");
await refused(connect().login("ann", "wrong password"), 401, "api.user.login.invalid_credentials_email_username");
await refused(connect("y".repeat(26)).getMe(), 401, "api.context.session_expired.app_error");

const config = await ann.getClientConfig();
assert.equal(config.EnableReliableWebSockets, "true");
assert.equal((await ann.getClientLicenseOld()).IsLicensed, "false");
assert.ok(ann.serverVersion.startsWith("10."), "the header X-Version-Id");

const team = await ann.createTeam({ name: "crew", display_name: "The Crew", type: "O" });
await ann.addToTeam(team.id, bobMe.id);
await refused(
  ann.createTeam({ name: "crew", display_name: "Again", type: "O" }),
  400,
  "app.team.save.existing.app_error",
);
const channel = await ann.createChannel({ team_id: team.id, name: "plans", display_name: "Plans", type: "O" });
await ann.addToChannel(bobMe.id, channel.id);
await refused(
  ann.createChannel({ team_id: team.id, name: "plans", display_name: "Plans", type: "O" }),
  400,
  "store.sql_channel.save_channel.exists.app_error",
);

// What the web app asks for when it starts.
const [roles, preferences, teams, channels, members, categories, unread, threads] = await Promise.all([
  bob.getRolesByNames(["system_user", "team_user", "channel_user"]),
  bob.getMyPreferences(),
  bob.getMyTeams(),
  bob.getMyChannels(team.id),
  bob.getMyChannelMembers(team.id),
  bob.getChannelCategories("me", team.id),
  bob.getMyTeamUnreads(true),
  bob.getUserThreads("me", team.id, { totalsOnly: true }),
]);
assert.equal(roles.length, 3);
assert.ok(Array.isArray(preferences));
assert.deepEqual(teams.map((each) => each.name), ["crew"]);
assert.deepEqual(channels.map((each) => each.name).sort(), ["off-topic", "plans", "town-square"]);
assert.equal(members.length, 3);
assert.equal(categories.order.length, 3);
assert.equal(unread[0].team_id, team.id);
assert.equal(threads.total_unread_threads, 0);

// --- Noon: writing, with a network that breaks ---------------------------------------------------------------------

const proxy = await cuttable();
const listening = listen(bob.getToken(), proxy.port);
await listening.until((heard) => named(heard, "hello").length === 1);

const first = await ann.createPost({ channel_id: channel.id, message: "Lunch, @bob? #food" });
await listening.until((heard) => named(heard, "posted").length === 1);
const posted = named(listening.heard, "posted")[0];
assert.equal(typeof posted.data.post, "string");
assert.equal(JSON.parse(posted.data.post).id, first.id);
assert.deepEqual(JSON.parse(posted.data.mentions), [bobMe.id]);
assert.equal(posted.data.sender_name, "@ann");
assert.equal(posted.data.team_id, team.id);
assert.equal(first.hashtags, "#food");

const MANY = 60;
for (let number = 0; number < MANY; number += 1) {
  if (number % 15 === 7) {
    proxy.cut();
  }
  await ann.createPost({ channel_id: channel.id, message: `number ${number}` });
}
await listening.until((heard) => named(heard, "posted").length >= MANY + 1);
const numbers = named(listening.heard, "posted")
  .map((event) => JSON.parse(event.data.post).message)
  .filter((message) => message.startsWith("number "));
assert.deepEqual(
  numbers,
  Array.from({ length: MANY }, (_, number) => `number ${number}`),
  "every post once, in order, over all breaks",
);
assert.equal(listening.heard.hellos, 1, "a resumed connection is not greeted again");
assert.equal(listening.heard.missed, 0, "nothing was missed");
assert.ok(listening.heard.closes >= 1, "the network did break");

const before = await bob.getMyChannelMember(channel.id);
const total = (await bob.getChannel(channel.id)).total_msg_count;
// Being added to a channel is a mention, too.
assert.deepEqual([before.mention_count, total - before.msg_count], [2, MANY + 1]);
await bob.viewMyChannel(channel.id);
const after = await bob.getMyChannelMember(channel.id);
assert.deepEqual([after.mention_count, after.msg_count], [0, total]);
await listening.until((heard) => named(heard, "multiple_channels_viewed").length === 1);

// --- Afternoon: threads, reactions, files, direct messages ---------------------------------------------------------

const reply = await bob.createPost({ channel_id: channel.id, root_id: first.id, message: "Yes!" });
const thread = await ann.getPostThread(first.id);
assert.deepEqual(new Set(thread.order), new Set([first.id, reply.id]));
await ann.addReaction(annMe.id, reply.id, "smile");
await listening.until((heard) => named(heard, "reaction_added").length === 1);
assert.equal((await bob.getReactionsForPost(reply.id))[0].emoji_name, "smile");
const edited = await ann.patchPost({ id: first.id, message: "Lunch at one, @bob?" });
assert.ok(edited.edit_at > 0);
await listening.until((heard) => named(heard, "post_edited").length >= 1);
await ann.pinPost(first.id);
assert.deepEqual((await bob.getPinnedPosts(channel.id)).order, [first.id]);
await ann.deletePost((await ann.createPost({ channel_id: channel.id, message: "oops" })).id);
await listening.until((heard) => named(heard, "post_deleted").length === 1);

const form = new FormData();
form.append("channel_id", channel.id);
form.append("files", new Blob([PNG], { type: "image/png" }), "dot.png");
const uploaded = await ann.uploadFile(form);
const info = uploaded.file_infos[0];
assert.deepEqual([info.name, info.mime_type, info.width, info.height], ["dot.png", "image/png", 1, 1]);
const shown = await ann.createPost({ channel_id: channel.id, message: "see", file_ids: [info.id] });
assert.equal(shown.metadata.files[0].id, info.id);
const bytes = await fetch(bob.getFileUrl(info.id, 0), { headers: { Authorization: `Bearer ${bob.getToken()}` } });
assert.deepEqual(Buffer.from(await bytes.arrayBuffer()), PNG);

const direct = await bob.createDirectChannel([bobMe.id, annMe.id]);
assert.equal((await ann.createDirectChannel([annMe.id, bobMe.id])).id, direct.id);
await ann.createPost({ channel_id: direct.id, message: "psst" });
await listening.until((heard) => named(heard, "posted").some((event) => event.data.channel_type === "D"));

const found = await bob.searchPosts(team.id, "lunch from:ann in:plans", false);
assert.deepEqual(found.order, [first.id]);
assert.deepEqual((await bob.autocompleteUsers("an", team.id, channel.id)).users.map((user) => user.username), ["ann"]);
assert.equal((await bob.getStatusesByIds([annMe.id]))[0].user_id, annMe.id);
await bob.savePreferences(bobMe.id, [
  { user_id: bobMe.id, category: "flagged_post", name: first.id, value: "true" },
]);
assert.deepEqual((await bob.getFlaggedPosts(bobMe.id)).order, [first.id]);
await ann.executeCommand("/me waves", { channel_id: channel.id, team_id: team.id });
const page = await bob.getPosts(channel.id, 0, 5);
assert.equal(page.posts[page.order[0]].message, "*waves*");

// --- Evening: what is not allowed, and good night ------------------------------------------------------------------

await refused(bob.patchTeam({ id: team.id, display_name: "Mine" }), 403, "api.context.permissions.app_error");
await refused(bob.getUser("short"), 400, "api.context.invalid_url_param.app_error");
await refused(bob.getUser("y".repeat(26)), 404, "app.user.missing_account.const");
listening.socket.close();
proxy.stop();
const token = bob.getToken();
await bob.logout();
await refused(connect(token).getMe(), 401, "api.context.session_expired.app_error");

console.log(JSON.stringify({ team: team.id, channel: channel.id, closes: listening.heard.closes }));
process.exit(0);
