// The sign-in and joining pages: signing without the rest of the console.
import './app.js';
import { startSigning } from './sign.js';

startSigning();
