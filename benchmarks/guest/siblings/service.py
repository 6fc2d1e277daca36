"""The service that a sibling runs: sessions in memory, some of them in use all the time."""

import hashlib
import json
import random
import sys
import time

SESSION_COUNT = 20_000
PRODUCTS = ["lamp", "chair", "table", "shelf", "mirror", "carpet", "clock", "vase"]

chance = random.Random(int(sys.argv[1]))


def new_session(number):
    token = hashlib.sha256(b"%d %d" % (number, chance.getrandbits(63))).hexdigest()
    basket = [(chance.choice(PRODUCTS), chance.randrange(1, 5)) for _ in range(chance.randrange(7))]
    return {"token": token, "customer": chance.randrange(10**6), "basket": basket, "seen": 0.0}


sessions = [new_session(number) for number in range(SESSION_COUNT)]
stored = {session["token"]: json.dumps(session) for session in sessions[::3]}
with open("/dev/console", "w") as console:
    console.write("\nSERVICE READY\n")

while True:
    for _ in range(30):
        session = sessions[min(int(chance.expovariate(1 / 900)), SESSION_COUNT - 1)]
        session["seen"] = time.time()
        if chance.random() < 0.2:
            session["basket"].append((chance.choice(PRODUCTS), 1))
            del session["basket"][:-8]
            stored[session["token"]] = json.dumps(session)
    time.sleep(0.1)
